//! A DSN as settings.

use taos_query::{Dsn, DsnError, RawResult};

use crate::ingress::Protocol;
use crate::settings::{Address, Auth, Secret, Settings};

pub(super) fn params() -> &'static [&'static str] {
    &[]
}

/// Everything that the DSN says, checked.
pub(super) fn settings(dsn: &Dsn) -> RawResult<Settings> {
    let protocol = match dsn.protocol.as_deref() {
        None | Some("http") => Protocol::Http,
        Some("https") => Protocol::Https,
        Some("tcp") => Protocol::Tcp,
        Some("tcps") => Protocol::Tcps,
        Some("ws") => Protocol::Ws,
        Some("wss") => Protocol::Wss,
        Some(other) => {
            return Err(DsnError::InvalidProtocol(format!(
                "`{other}` is not known to the driver `questdb`; use http, https, tcp, tcps, ws or wss"
            ))
            .into());
        }
    };
    let mut addresses: Vec<Address> = dsn
        .addresses
        .iter()
        .map(|address| {
            Address::new(
                address.host.as_deref().unwrap_or("localhost"),
                address.port.unwrap_or_else(|| protocol.default_port()),
            )
        })
        .collect();
    if addresses.is_empty() {
        addresses.push(Address::new("localhost", protocol.default_port()));
    }
    dsn.check_params(params())?;
    let mut settings = Settings::new(protocol, addresses);
    if let (Some(user), Some(password)) = (&dsn.username, &dsn.password) {
        settings.auth = Auth::Basic {
            user: user.clone(),
            password: Secret::new(password.clone()),
        };
    }
    Ok(settings)
}
