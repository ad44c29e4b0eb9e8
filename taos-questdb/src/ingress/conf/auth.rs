//! Which combinations of credentials mean what (questdb §1.5).

use crate::error::{Result, error};
use crate::ingress::Protocol;
use crate::settings::{Auth, Secret};

/// What was given of it.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) token: Option<Secret>,
    pub(super) token_x: Option<String>,
    pub(super) token_y: Option<String>,
    /// The value of `Authorization` as it is, for queries.
    pub(super) auth: Option<Secret>,
}

impl Credentials {
    pub(super) fn judge(&self, protocol: Protocol) -> Result<Auth> {
        if let Some(auth) = &self.auth {
            let alone = self.username.is_none() && self.password.is_none() && self.token.is_none();
            if !alone {
                return Err(error!(
                    ConfigError,
                    "`auth` stands for itself: give either `auth`, or `username` and `password`, or `token`"
                ));
            }
            return Ok(Auth::Verbatim(auth.clone()));
        }
        if protocol.is_tcp() {
            self.tcp()
        } else {
            self.http(protocol)
        }
    }

    fn tcp(&self) -> Result<Auth> {
        match (
            &self.username,
            &self.password,
            &self.token,
            &self.token_x,
            &self.token_y,
        ) {
            (None, None, None, None, None) => Ok(Auth::None),
            (Some(key_id), None, Some(private), Some(x), Some(y)) => Ok(Auth::Ecdsa {
                key_id: key_id.clone(),
                private: private.clone(),
                x: x.clone(),
                y: y.clone(),
            }),
            (Some(_), Some(_), None, None, None) => Err(error!(
                ConfigError,
                "basic authentication (`username` with `password`) is for http only; tcp takes `username`, `token`, `token_x` and `token_y`"
            )),
            (None, None, Some(_), None, None) => Err(error!(
                ConfigError,
                "token authentication (`token` alone) is for http only; tcp takes `username`, `token`, `token_x` and `token_y`"
            )),
            (_, None, _, _, _) => Err(error!(
                ConfigError,
                "incomplete ECDSA authentication: give all four of `username`, `token`, `token_x` and `token_y`, or none; missing: {}",
                self.missing_keys()
            )),
            _ => Err(incomplete()),
        }
    }

    fn http(&self, protocol: Protocol) -> Result<Auth> {
        match (
            &self.username,
            &self.password,
            &self.token,
            &self.token_x,
            &self.token_y,
        ) {
            (None, None, None, None, None) => Ok(Auth::None),
            (Some(user), Some(password), None, None, None) => Ok(Auth::Basic {
                user: user.clone(),
                password: password.clone(),
            }),
            (Some(_), None, None, None, None) => Err(error!(
                ConfigError,
                "`username` is given but `password` is missing"
            )),
            (None, Some(_), None, None, None) => Err(error!(
                ConfigError,
                "`password` is given but `username` is missing"
            )),
            (None, None, Some(token), None, None) => Ok(Auth::Token(token.clone())),
            (Some(_), _, Some(_), Some(_), Some(_))
                if self.password.is_none() && protocol.is_http() =>
            {
                Err(error!(
                    ConfigError,
                    "ECDSA authentication (`token_x`, `token_y`) is for tcp only; http takes `username` and `password`, or `token`"
                ))
            }
            _ if protocol.is_http() => Err(error!(
                ConfigError,
                "inconsistent authentication: give either `username` and `password`, or `token`"
            )),
            _ => Err(incomplete()),
        }
    }

    fn missing_keys(&self) -> String {
        let missing: Vec<&str> = [
            ("`username`", self.username.is_none()),
            ("`token`", self.token.is_none()),
            ("`token_x`", self.token_x.is_none()),
            ("`token_y`", self.token_y.is_none()),
        ]
        .into_iter()
        .filter_map(|(key, missing)| missing.then_some(key))
        .collect();
        missing.join(", ")
    }
}

fn incomplete() -> crate::error::Error {
    error!(
        ConfigError,
        "incomplete authentication: check which of `username`, `password`, `token`, `token_x` and `token_y` are set"
    )
}
