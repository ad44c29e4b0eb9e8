use crate::error::{ErrorKind, RawError, RawResult};

/// Which edition of the server it is, and whether its licence has run out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edition {
    /// `community`, `official`, `trial` or `cloud`.
    pub edition: String,
    /// True if the licence has run out.
    pub expired: bool,
}

impl Edition {
    /// The two facts together.
    pub fn new(edition: impl Into<String>, expired: bool) -> Self {
        Self {
            edition: edition.into(),
            expired,
        }
    }

    /// True for the cloud service, and for a licence that has not run out.
    pub fn is_enterprise_edition(&self) -> bool {
        match self.edition.as_str() {
            "cloud" => true,
            "official" | "trial" => !self.expired,
            _ => false,
        }
    }

    /// As [`is_enterprise_edition`](Self::is_enterprise_edition).
    ///
    /// # Errors
    /// When it is not one; the text says why.
    pub fn assert_enterprise_edition(&self) -> RawResult<()> {
        if self.is_enterprise_edition() {
            return Ok(());
        }
        let why = if self.expired {
            "has expired"
        } else {
            "is not enough"
        };
        Err(RawError::of(
            ErrorKind::Unsupported,
            format!("an enterprise edition is needed; `{}` {why}", self.edition),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Edition;

    #[test]
    fn a_licence_that_has_run_out_does_not_count() {
        assert!(Edition::new("cloud", true).is_enterprise_edition());
        assert!(
            Edition::new("official", false)
                .assert_enterprise_edition()
                .is_ok()
        );
        let error = Edition::new("trial", true)
            .assert_enterprise_edition()
            .unwrap_err();
        assert!(error.to_string().contains("has expired"));
        assert!(!Edition::new("community", false).is_enterprise_edition());
    }
}
