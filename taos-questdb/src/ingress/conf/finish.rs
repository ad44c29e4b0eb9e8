//! The setters that strings and builders share, and what can only be judged at the end.

use std::path::PathBuf;
use std::time::Duration;

use super::draft::{Compression, Draft, Use, WantedDurability};
use super::value::Value;
use crate::error::{Error, Result, error};
use crate::ingress::{CertificateAuthority, ProtocolVersion, QwpWsProgress};
use crate::settings::{
    AutoFlush, Durability, InitialConnect, Roots, Settings, Tls, default_total_bytes,
};

const MILLI: Duration = Duration::from_millis(1);

impl Draft {
    pub(crate) fn username(&mut self, text: &str) -> Result<()> {
        self.put_text("username", text, |d| &mut d.credentials.username)
    }

    pub(crate) fn password(&mut self, text: &str) -> Result<()> {
        self.put_secret("password", text, |d| &mut d.credentials.password)
    }

    pub(crate) fn token(&mut self, text: &str) -> Result<()> {
        self.put_secret("token", text, |d| &mut d.credentials.token)
    }

    pub(crate) fn token_x(&mut self, text: &str) -> Result<()> {
        self.put_text("token_x", text, |d| &mut d.credentials.token_x)
    }

    pub(crate) fn token_y(&mut self, text: &str) -> Result<()> {
        self.put_text("token_y", text, |d| &mut d.credentials.token_y)
    }

    pub(crate) fn auth_timeout(&mut self, value: Duration) -> Result<()> {
        self.put_duration("auth_timeout", value, MILLI, |d| {
            &mut d.settings.auth_timeout
        })
    }

    pub(crate) fn bind_interface(&mut self, text: &str) -> Result<()> {
        self.put_text("bind_interface", text, |d| &mut d.settings.bind_interface)
    }

    pub(crate) fn protocol_version(&mut self, version: ProtocolVersion) -> Result<()> {
        self.put("protocol_version", Some(version), |d| {
            &mut d.settings.protocol_version
        })
    }

    pub(crate) fn init_buf_size(&mut self, bytes: usize) -> Result<()> {
        self.put_count("init_buf_size", bytes, 1024, |d| {
            &mut d.settings.init_buf_size
        })
    }

    pub(crate) fn max_buf_size(&mut self, bytes: usize) -> Result<()> {
        self.put_count("max_buf_size", bytes, 1024, |d| {
            &mut d.settings.max_buf_size
        })
    }

    pub(crate) fn max_name_len(&mut self, bytes: usize) -> Result<()> {
        self.put_count("max_name_len", bytes, 16, |d| &mut d.settings.max_name_len)
    }

    pub(crate) fn request_timeout(&mut self, value: Duration) -> Result<()> {
        let qwp = self.protocol().is_qwp();
        self.put_duration("request_timeout", value, MILLI, |d| {
            if qwp {
                &mut d.settings.ingest.request_timeout
            } else {
                &mut d.settings.http.request_timeout
            }
        })
    }

    pub(crate) fn request_min_throughput(&mut self, bytes: u64) -> Result<()> {
        self.put("request_min_throughput", bytes, |d| {
            &mut d.settings.http.request_min_throughput
        })
    }

    pub(crate) fn retry_timeout(&mut self, value: Duration) -> Result<()> {
        self.put_duration("retry_timeout", value, Duration::ZERO, |d| {
            &mut d.settings.http.retry_timeout
        })
    }

    pub(crate) fn retry_max_backoff(&mut self, value: Duration) -> Result<()> {
        self.put_duration("retry_max_backoff_millis", value, 10 * MILLI, |d| {
            &mut d.settings.http.retry_max_backoff
        })
    }

    pub(crate) fn initial_connect(&mut self, how: InitialConnect) -> Result<()> {
        self.put("initial_connect_retry", how, |d| {
            &mut d.settings.ingest.initial_connect
        })
    }

    pub(crate) fn reconnect_initial_backoff(&mut self, value: Duration) -> Result<()> {
        self.put_duration("reconnect_initial_backoff_millis", value, MILLI, |d| {
            &mut d.settings.ingest.reconnect_initial_backoff
        })
    }

    pub(crate) fn reconnect_max_backoff(&mut self, value: Duration) -> Result<()> {
        self.put_duration("reconnect_max_backoff_millis", value, MILLI, |d| {
            &mut d.settings.ingest.reconnect_max_backoff
        })
    }

    pub(crate) fn reconnect_max_duration(&mut self, value: Duration) -> Result<()> {
        self.put_duration(
            "reconnect_max_duration_millis",
            value,
            Duration::ZERO,
            |d| &mut d.settings.ingest.reconnect_max_duration,
        )
    }

    pub(crate) fn max_frame_rejections(&mut self, count: usize) -> Result<()> {
        self.put_count("max_frame_rejections", count, 1, |d| {
            &mut d.settings.ingest.max_frame_rejections
        })
    }

    pub(crate) fn poison_min_escalation_window(&mut self, value: Duration) -> Result<()> {
        self.put_duration(
            "poison_min_escalation_window_millis",
            value,
            Duration::ZERO,
            |d| &mut d.settings.ingest.poison_min_escalation_window,
        )
    }

    pub(crate) fn qwp_ws_progress(&mut self, progress: QwpWsProgress) -> Result<()> {
        let manual = progress == QwpWsProgress::Manual;
        self.put("qwp_ws_progress", manual, |d| {
            &mut d.settings.ingest.manual_progress
        })
    }

    pub(crate) fn tls_verify(&mut self, verify: bool) -> Result<()> {
        self.ensure_tls("tls_verify")?;
        if !verify && !cfg!(feature = "insecure-skip-verify") {
            return Err(compiled_out(
                "tls_verify=unsafe_off",
                "insecure-skip-verify",
            ));
        }
        self.put("tls_verify", verify, |d| &mut d.verify)
    }

    pub(super) fn tls_ca_named(&mut self, value: Value<'_>) -> Result<()> {
        self.ensure_tls(value.key)?;
        let ca = value.exact(&[
            ("webpki_roots", webpki()),
            ("os_roots", os()),
            ("webpki_and_os_roots", both()),
        ])?;
        self.tls_ca(ca.map_err(|(word, feature)| compiled_out(word, feature))?)
    }

    pub(crate) fn tls_ca(&mut self, ca: CertificateAuthority) -> Result<()> {
        self.ensure_tls("tls_ca")?;
        if self.roots.is_some() && ca != CertificateAuthority::PemFile {
            return Err(two_sources());
        }
        self.put("tls_ca", Some(ca), |d| &mut d.ca)
    }

    pub(crate) fn tls_roots(&mut self, path: PathBuf) -> Result<()> {
        self.ensure_tls("tls_roots")?;
        if self
            .ca
            .is_some_and(|ca| ca != CertificateAuthority::PemFile)
        {
            return Err(two_sources());
        }
        if let Err(why) = std::fs::File::open(&path) {
            return Err(error!(
                ConfigError,
                "the file of root certificates in `tls_roots` cannot be opened: {why}"
            ));
        }
        self.put("tls_roots", Some(path), |d| &mut d.roots)
    }

    pub(crate) fn tls_roots_password(&mut self, text: &str) -> Result<()> {
        self.put_secret("tls_roots_password", text, |d| &mut d.roots_password)
    }

    pub(crate) fn auto_flush(&mut self, on: bool) -> Result<()> {
        self.put("auto_flush", Some(on), |d| &mut d.auto_flush)
    }

    pub(crate) fn auto_flush_rows(&mut self, rows: usize) -> Result<()> {
        self.put("auto_flush_rows", Some(rows), |d| &mut d.auto_flush_rows)
    }

    pub(crate) fn auto_flush_bytes(&mut self, bytes: usize) -> Result<()> {
        self.put("auto_flush_bytes", Some(bytes), |d| &mut d.auto_flush_bytes)
    }

    pub(crate) fn auto_flush_interval(&mut self, interval: Duration) -> Result<()> {
        self.put("auto_flush_interval", Some(interval), |d| {
            &mut d.auto_flush_interval
        })
    }

    /// The triggers (questdb §8): one that is set switches on the others with their defaults.
    fn triggers(&self) -> Result<AutoFlush> {
        let (rows, bytes) = (self.auto_flush_rows, self.auto_flush_bytes);
        let interval = self.auto_flush_interval;
        let given = [
            ("auto_flush_rows", rows.is_some_and(|n| n > 0)),
            ("auto_flush_bytes", bytes.is_some_and(|n| n > 0)),
            (
                "auto_flush_interval",
                interval.is_some_and(|n| !n.is_zero()),
            ),
        ];
        let given = given.into_iter().find(|(_, set)| *set);
        match (self.auto_flush, given) {
            (Some(false), Some((key, _))) => {
                return Err(error!(
                    ConfigError,
                    "`{key}` switches automatic flushes on, but `auto_flush` is off: leave out one of \
                     the two"
                ));
            }
            (Some(false), None) | (None, None) => return Ok(AutoFlush::default()),
            (Some(true), _) | (None, Some(_)) => {}
        }
        let default = AutoFlush::on(self.protocol());
        Ok(AutoFlush {
            rows: rows.or(default.rows).filter(|n| *n > 0),
            bytes: bytes.or(default.bytes).filter(|n| *n > 0),
            interval: interval.or(default.interval).filter(|n| !n.is_zero()),
        })
    }

    /// The settings, once everything has been given.
    pub(crate) fn finish(&self) -> Result<Settings> {
        let mut settings = self.settings.clone();
        for host in &self.hosts {
            let address = host.resolve()?;
            if settings.addresses.contains(&address) {
                return Err(error!(ConfigError, "the address {address} is given twice"));
            }
            settings.addresses.push(address);
        }
        settings.auth = self.credentials.judge(self.protocol())?;
        settings.tls = self.tls()?;
        settings.auto_flush = self.triggers()?;
        if settings.init_buf_size > settings.max_buf_size {
            if self.was_given("init_buf_size") {
                return Err(error!(
                    ConfigError,
                    "`init_buf_size` ({}) must not be larger than `max_buf_size` ({})",
                    settings.init_buf_size,
                    settings.max_buf_size
                ));
            }
            settings.init_buf_size = settings.max_buf_size;
        }
        if self.protocol().is_qwp() {
            self.ingest(&mut settings)?;
            self.query(&mut settings);
        }
        Ok(settings)
    }

    fn tls(&self) -> Result<Option<Tls>> {
        if !self.protocol().is_tls() {
            return Ok(None);
        }
        if self.roots_password.is_some() && self.roots.is_none() {
            return Err(error!(
                ConfigError,
                "`tls_roots_password` needs `tls_roots`, the keystore that it opens"
            ));
        }
        if self.roots_password.is_some() {
            return Err(error!(
                ConfigError,
                "`tls_roots_password`: keystores (JKS, PKCS#12) are not read here; export their \
                 certificates as PEM, as by `keytool -exportcert -rfc` or `openssl pkcs12 -nokeys`, and \
                 name that file with `tls_roots` alone"
            ));
        }
        if let Some(path) = &self.roots {
            if !self.verify && self.protocol().is_qwp() && self.what_for != Use::Ingest {
                return Err(error!(
                    ConfigError,
                    "`tls_roots` has no meaning together with `tls_verify=unsafe_off`"
                ));
            }
            return Ok(Some(Tls {
                roots: Roots::File(path.clone()),
                verify: self.verify,
            }));
        }
        let roots = match self.ca {
            None => self.default_roots()?,
            Some(CertificateAuthority::PemFile) => {
                return Err(error!(
                    ConfigError,
                    "the certificate authority `PemFile` needs `tls_roots`, the path of the file"
                ));
            }
            #[cfg(feature = "tls-webpki-certs")]
            Some(CertificateAuthority::WebpkiRoots) => Roots::Webpki,
            #[cfg(feature = "tls-native-certs")]
            Some(CertificateAuthority::OsRoots) => Roots::Os,
            #[cfg(all(feature = "tls-webpki-certs", feature = "tls-native-certs"))]
            Some(CertificateAuthority::WebpkiAndOsRoots) => Roots::WebpkiAndOs,
        };
        Ok(Some(Tls {
            roots,
            verify: self.verify,
        }))
    }

    fn default_roots(&self) -> Result<Roots> {
        let any = cfg!(any(
            feature = "tls-webpki-certs",
            feature = "tls-native-certs"
        ));
        if !any && self.verify {
            return Err(error!(
                ConfigError,
                "no root certificates are compiled in: enable the feature `tls-webpki-certs` or `tls-native-certs`, or give `tls_roots`"
            ));
        }
        Ok(Tls::checked_by_default_roots().roots)
    }

    fn ingest(&self, settings: &mut Settings) -> Result<()> {
        let ingest = &mut settings.ingest;
        let reconnects = [
            "reconnect_initial_backoff_millis",
            "reconnect_max_backoff_millis",
            "reconnect_max_duration_millis",
        ];
        if !self.was_given("initial_connect_retry")
            && reconnects.iter().any(|key| self.was_given(key))
        {
            ingest.initial_connect = InitialConnect::Retry;
        }
        if ingest.manual_progress && ingest.initial_connect == InitialConnect::Background {
            return Err(error!(
                ConfigError,
                "`qwp_ws_progress=manual` does not go with `initial_connect_retry=async`: nobody would connect"
            ));
        }
        ingest.durability = match self.durability {
            WantedDurability::Memory => Durability::Memory,
            WantedDurability::Periodic if ingest.sf_dir.is_some() => {
                Durability::Periodic(self.sync_interval)
            }
            WantedDurability::Periodic => {
                return Err(error!(
                    ConfigError,
                    "`sf_durability=periodic` needs `sf_dir`, the directory to write to"
                ));
            }
            WantedDurability::Flush | WantedDurability::Append => {
                return Err(error!(
                    ConfigError,
                    "`sf_durability` can be memory or periodic; flush and append are not supported yet"
                ));
            }
        };
        if self.was_given("sf_sync_interval_millis")
            && self.durability != WantedDurability::Periodic
        {
            return Err(error!(
                ConfigError,
                "`sf_sync_interval_millis` needs `sf_durability=periodic`"
            ));
        }
        if !self.was_given("sf_max_total_bytes") {
            ingest.max_total_bytes =
                default_total_bytes(ingest.max_segment_bytes, ingest.sf_dir.is_some());
        }
        Ok(())
    }

    fn query(&self, settings: &mut Settings) {
        let wanted = self.compression != Compression::Raw;
        settings.query.zstd = wanted.then_some(self.compression_level);
        settings.query.zstd_or_raw = self.compression == Compression::Auto;
    }
}

fn two_sources() -> Error {
    error!(
        ConfigError,
        "`tls_roots` and `tls_ca` exclude each other: the roots come from one place"
    )
}

fn compiled_out(what: &str, feature: &str) -> Error {
    error!(
        ConfigError,
        "`{what}` is not compiled in: it needs the feature `{feature}`"
    )
}

/// A source of roots, or what was asked for and the feature that is missing.
type Compiled = std::result::Result<CertificateAuthority, (&'static str, &'static str)>;

const fn webpki() -> Compiled {
    #[cfg(feature = "tls-webpki-certs")]
    return Ok(CertificateAuthority::WebpkiRoots);
    #[cfg(not(feature = "tls-webpki-certs"))]
    Err(("tls_ca=webpki_roots", "tls-webpki-certs"))
}

const fn os() -> Compiled {
    #[cfg(feature = "tls-native-certs")]
    return Ok(CertificateAuthority::OsRoots);
    #[cfg(not(feature = "tls-native-certs"))]
    Err(("tls_ca=os_roots", "tls-native-certs"))
}

const fn both() -> Compiled {
    #[cfg(all(feature = "tls-webpki-certs", feature = "tls-native-certs"))]
    return Ok(CertificateAuthority::WebpkiAndOsRoots);
    #[cfg(not(all(feature = "tls-webpki-certs", feature = "tls-native-certs")))]
    Err((
        "tls_ca=webpki_and_os_roots",
        if cfg!(feature = "tls-webpki-certs") {
            "tls-native-certs"
        } else {
            "tls-webpki-certs"
        },
    ))
}
