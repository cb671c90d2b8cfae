//! The certificate that a client showed in the TLS handshake, and what a source asks of it.

use std::borrow::Cow;

/// What a client showed, having proven that the key is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificate {
    /// An authority of the settings signed it, it is valid now, and not revoked.
    Good(Names),
    /// None of ours, and as good as none. Why, for the log.
    Unverified(String),
}

/// Whom a certificate is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Of its subject.
    pub common_name: Option<String>,
    /// Host names of its subjectAltName, in lower case.
    pub hosts: Vec<String>,
    /// What else its subjectAltName has: addresses, URIs, e-mail addresses.
    pub others: Vec<String>,
}

impl Names {
    /// The one that it is called by: the common name, or else the first there is.
    pub fn first(&self) -> &str {
        let alternatives = self.hosts.iter().chain(&self.others);
        let mut names = self.common_name.iter().chain(alternatives);
        names.next().map_or("", String::as_str)
    }

    /// Whether it is for this subject, whole: no part of a name will do, and no pattern.
    fn has(&self, subject: &str) -> bool {
        let host = subject.to_ascii_lowercase();
        self.common_name.as_deref() == Some(subject)
            || self.hosts.contains(&host)
            || self.others.iter().any(|other| other == subject)
    }
}

/// That a source asks its clients for a good certificate, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredCertificate {
    /// For any of these; empty: whoever's it is.
    pub subjects: Vec<String>,
}

impl RequiredCertificate {
    /// Whose the certificate is, if it is one that will do: the subject as the settings have it, or the
    /// name by which it is called.
    ///
    /// # Errors
    /// Why it is not.
    pub fn holder<'a>(
        &'a self,
        shown: Option<&'a ClientCertificate>,
    ) -> Result<&'a str, Cow<'static, str>> {
        let names = match shown {
            None => return Err("no client certificate".into()),
            Some(ClientCertificate::Unverified(why)) => {
                return Err(format!("the client certificate is not accepted: {why}").into());
            }
            Some(ClientCertificate::Good(names)) => names,
        };
        if self.subjects.is_empty() {
            return Ok(names.first());
        }
        let found = self.subjects.iter().find(|subject| names.has(subject));
        found.map(String::as_str).ok_or(OF_ANOTHER)
    }
}

const OF_ANOTHER: Cow<'static, str> =
    Cow::Borrowed("the client certificate is for none of the source's subjects");

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> ClientCertificate {
        ClientCertificate::Good(Names {
            common_name: Some("Hooks of Example".to_owned()),
            hosts: vec!["client.example.com".to_owned()],
            others: vec![
                "spiffe://example.com/Hooks".to_owned(),
                "192.0.2.7".to_owned(),
            ],
        })
    }

    fn holder(subjects: &[&str], shown: Option<&ClientCertificate>) -> Option<String> {
        let subjects = subjects.iter().map(|&it| it.to_owned()).collect();
        let required = RequiredCertificate { subjects };
        required.holder(shown).ok().map(str::to_owned)
    }

    #[test]
    fn a_subject_is_a_whole_name_of_the_certificate() {
        let shown = certificate();
        for (subject, is_its) in [
            ("Hooks of Example", true),
            ("hooks of example", false),
            ("Hooks", false),
            ("client.example.com", true),
            ("Client.Example.COM", true),
            ("*.example.com", false),
            ("example.com", false),
            ("spiffe://example.com/Hooks", true),
            ("spiffe://example.com/hooks", false),
            ("192.0.2.7", true),
            ("", false),
        ] {
            let expected = is_its.then(|| subject.to_owned());
            assert_eq!(holder(&[subject], Some(&shown)), expected, "{subject}");
        }
        let any = holder(&["someone.else", "client.example.com"], Some(&shown));
        assert_eq!(any.as_deref(), Some("client.example.com"));
    }

    #[test]
    fn without_subjects_any_good_one_will_do_and_is_called_by_its_first_name() {
        assert_eq!(
            holder(&[], Some(&certificate())).as_deref(),
            Some("Hooks of Example")
        );
        let nameless = ClientCertificate::Good(Names {
            others: vec!["spiffe://a".to_owned()],
            ..Names::default()
        });
        assert_eq!(holder(&[], Some(&nameless)).as_deref(), Some("spiffe://a"));
    }

    #[test]
    fn none_and_one_that_is_not_ours_are_as_good() {
        let theirs = ClientCertificate::Unverified("unknown issuer".to_owned());
        for subjects in [&[][..], &["client.example.com"]] {
            assert_eq!(holder(subjects, None), None);
            assert_eq!(holder(subjects, Some(&theirs)), None);
        }
    }
}
