//! `check` of client certificates: what is asked of whom, and what is wrong with authorities and lists.

use std::fs;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::run::Run;
use crate::authority::Authority;
use crate::certs::Certificates;

#[test]
fn it_says_who_has_to_show_one_and_until_when_the_list_is_good() {
    let folder = Folder::new();
    let now = SystemTime::now();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let until = |hours: u64| now + Duration::from_secs(hours * 3600 + 60);
    folder.write("ca.pem", &(ours.pem() + &theirs.pem()));
    let lists = |until| ours.revoking(&[], until) + &theirs.revoking(&[], until);
    folder.write("crl.pem", &lists(until(24 * 90)));
    let table = folder.check("client_ca = 'ca.pem'\n", "").fine();
    let row = "clients        ok       only with a certificate of client_ca, on every path of the public listener; no revocation list\n";
    assert!(table.contains(row), "{table}");

    let optional =
        "client_ca = 'ca.pem'\nclient_crl = 'crl.pem'\nclient_certificate = 'optional'\n";
    let table = folder.check(optional, "subjects = ['a', 'b']\n").fine();
    for row in [
        "clients        ok       a certificate of client_ca where a source asks for it, any other counts as none; none that is revoked, as of crl.pem, to be replaced within 2160 hours\n",
        "verified       ok       by env:SHOPIFY_WEBHOOKS_KEY, and a client certificate of a or b\n",
    ] {
        assert!(table.contains(row), "{row}{table}");
    }
    let table = folder.check(optional, "client_certificate = 'required'\n");
    let row = "verified       ok       by env:SHOPIFY_WEBHOOKS_KEY, and a client certificate of an authority in client_ca\n";
    assert!(table.stdout.contains(row), "{table:?}");
    let alone = "verify = 'client-certificate'\nsubjects = ['a']\n";
    let table = folder.check_with(optional, alone, "").fine();
    let row = "verified       ok       by a client certificate of a\n";
    assert!(table.contains(row), "{table}");

    // One of the two ends.
    let old = ours.revoking(&[], until(24 * 90))
        + &theirs.revoking(&[], now - Duration::from_secs(2 * 3600));
    folder.write("crl.pem", &old);
    let table = folder.check(optional, "").fine();
    let row = "clients        warning  a certificate of client_ca where a source asks for it, any other counts as none; crl.pem should have been replaced 2 hours ago, and still counts\n";
    assert!(table.contains(row), "{table}");
}

#[test]
fn every_mistake_has_its_place_and_what_would_do() {
    let folder = Folder::new();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    folder.write("ca.pem", &ours.pem());
    folder.write("theirs.crl", &theirs.revoking(&[], tomorrow));
    folder.write("tickets", TICKET_KEY);
    let list = "f.toml:5 server.tls.client_crl: ";
    for (tls, source, said) in [
        (
            "client_crl = 'theirs.crl'\nclient_certificate = 'optional'\n",
            "",
            &[
                "f.toml:4 server.tls.client_crl: of no use without client_ca: the authorities",
                "f.toml:5 server.tls.client_certificate: of no use without client_ca",
            ][..],
        ),
        (
            "client_ca = 'ca.pem'\nclient_crl = 'theirs.crl'\n",
            "",
            &[
                list,
                "theirs.crl: no revocation list of CN=ours, of which no certificate could be accepted: expected one of each authority of client_ca",
            ],
        ),
        (
            "client_ca = 'ca.pem'\nclient_crl = 'ca.pem'\n",
            "",
            &[
                list,
                "ca.pem: the file holds no revocation list in PEM (-----BEGIN X509 CRL-----)",
            ],
        ),
        (
            "client_ca = 'ca.pem'\nclient_crl = 'nowhere'\n",
            "",
            &[list, "nowhere: No such file"],
        ),
        (
            "client_ca = 'ca.pem'\nclient_certificate = 'maybe'\n",
            "",
            &[
                "f.toml:5 server.tls.client_certificate: unknown value, expected `required` or `optional`",
            ],
        ),
        (
            "client_ca = 'ca.pem'\nticket_keys = 'file:tickets'\n",
            "",
            &[
                "f.toml:5 server.tls.ticket_keys: of no use beside client_ca, unless client_certificate is \"optional\"",
            ],
        ),
        (
            "",
            "subjects = ['a']\n",
            &[
                "f.toml:8 source[1].subjects: no client is asked for a certificate: expected [server.tls] client_ca",
            ],
        ),
        (
            "client_ca = 'ca.pem'\n",
            "client_certificate = 'optional'\n",
            &[
                "f.toml:9 source[1].client_certificate: \"optional\", but nobody gets here without one",
            ],
        ),
    ] {
        let run = folder.check(tls, source);
        run.misconfigured(said);
        assert!(!run.stderr.contains("PRIVATE KEY"), "{run:?}");
    }
    let good =
        "client_ca = 'ca.pem'\nclient_certificate = 'optional'\nticket_keys = 'file:tickets'\n";
    folder.check(good, "").fine();
}

/// 32 bytes.
const TICKET_KEY: &str = "1f0e6b7c2d3a495867768594a3b2c1d0e1f2031425364758697a8b9cadbecfd0";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().expect("a temporary folder can be made"));
        let own = Certificates::generate();
        for (file, name) in [(&own.cert, "cert.pem"), (&own.key, "key.pem")] {
            fs::copy(file, folder.0.path().join(name)).expect("the folder is writable");
        }
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("the folder is writable");
    }

    /// With a source that checks signatures.
    fn check(&self, tls: &str, source: &str) -> Run {
        let secrets = "secrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n";
        self.check_with(tls, source, secrets)
    }

    fn check_with(&self, tls: &str, source: &str, secrets: &str) -> Run {
        let text = format!(
            "[server.tls]\ncert = 'cert.pem'\nkey = 'key.pem'\n{tls}[[source]]\npath = '/a'\nprovider = 'shopify'\n{secrets}{source}"
        );
        self.write("f.toml", &text);
        let secret = [("SHOPIFY_WEBHOOKS_KEY", "shpss_certificates_0")];
        let args = ["check", "--offline", "--config", "f.toml"];
        Run::inside(self.0.path(), &args, &secret)
    }
}
