//! With whose credentials large payloads are stored: AWS' usual variables and files.

use std::collections::HashMap;
use std::path::PathBuf;

use webhook_core::secret::Secret;

use crate::config::{Environment, Mistake, text};

/// Who stores.
#[derive(Debug)]
pub enum Credentials {
    /// Keys from the environment or from AWS' files.
    Keys {
        /// `AWS_ACCESS_KEY_ID`
        id: String,
        /// `AWS_SECRET_ACCESS_KEY`
        secret: Secret,
        /// `AWS_SESSION_TOKEN`
        token: Option<Secret>,
    },
    /// A role: by web identity, of the container, or of the machine; AWS' variables say which.
    Role(Vec<(&'static str, String)>),
}

/// Keys in the environment, else in AWS' files, else a role.
pub(super) fn credentials(
    profile: &Profile,
    environment: &dyn Environment,
) -> Result<Credentials, Mistake> {
    let variable = |name| variable(environment, name);
    if let Some(id) = variable("AWS_ACCESS_KEY_ID") {
        let token = variable("AWS_SESSION_TOKEN");
        return keys(
            "AWS_ACCESS_KEY_ID",
            id,
            variable("AWS_SECRET_ACCESS_KEY"),
            token,
        );
    }
    if let Some(id) = profile.get(KEY_ID) {
        let (secret, token) = ("aws_secret_access_key", "aws_session_token");
        return keys(&profile.place, id, profile.get(secret), profile.get(token));
    }
    if profile.is_named {
        let name = &profile.name;
        let problem = format!(
            "AWS' files have no profile {name:?} with an aws_access_key_id: a profile with a role, SSO or a credential_process is not read here"
        );
        return Err(Mistake::new("AWS_PROFILE", problem));
    }
    let role = ROLE
        .iter()
        .filter_map(|&name| Some((name, variable(name)?)));
    Ok(Credentials::Role(role.collect()))
}

fn keys(
    place: &str,
    id: String,
    secret: Option<String>,
    token: Option<String>,
) -> Result<Credentials, Mistake> {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let secret = secret.ok_or_else(|| Mistake::new(place, "the secret access key is missing"))?;
    if ![Some(&id), Some(&secret), token.as_ref()]
        .into_iter()
        .flatten()
        .all(|text| is_plain(text))
    {
        let problem = "not printable ASCII: expected an access key as AWS gives them out";
        return Err(Mistake::new(place, problem));
    }
    Ok(Credentials::Keys {
        id,
        secret: Secret::new(secret.into_bytes()).expect("empty ones are left out"),
        token: token.and_then(|token| Secret::new(token.into_bytes())),
    })
}

/// One profile of AWS' two files; empty if there is none.
pub(super) struct Profile {
    name: String,
    is_named: bool,
    /// Of the file that named the keys, for mistakes.
    place: String,
    values: HashMap<String, String>,
}

impl Profile {
    pub(super) fn read(environment: &dyn Environment) -> Self {
        let variable = |name| variable(environment, name);
        let named = variable("AWS_PROFILE");
        let mut profile = Self {
            is_named: named.is_some(),
            name: named.unwrap_or_else(|| "default".to_owned()),
            place: String::new(),
            values: HashMap::new(),
        };
        // The second one counts where both say something.
        for (name, default) in [
            ("AWS_CONFIG_FILE", ".aws/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
        ] {
            let at_home = || Some(PathBuf::from(variable("HOME")?).join(default));
            let Some(path) = variable(name).map(PathBuf::from).or_else(at_home) else {
                continue;
            };
            let bytes = environment.read(&path).unwrap_or_default();
            let found = section(&String::from_utf8_lossy(&bytes), &profile.name);
            if found.contains_key(KEY_ID) || profile.place.is_empty() {
                profile.place = format!("{} profile {:?}", path.display(), profile.name);
            }
            profile.values.extend(found);
        }
        profile
    }

    pub(super) fn get(&self, key: &str) -> Option<String> {
        self.values.get(key).filter(|v| !v.is_empty()).cloned()
    }
}

/// A variable that is set and not empty.
pub(super) fn variable(environment: &dyn Environment, name: &str) -> Option<String> {
    text(environment, name).filter(|value| !value.is_empty())
}

/// The values of `[name]`, or of `[profile name]` as the config file has it.
fn section(text: &str, name: &str) -> HashMap<String, String> {
    let mut is_ours = false;
    let mut values = HashMap::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(title) = line.strip_prefix('[') {
            let inside = title.split(']').next().unwrap_or_default().trim();
            let title = inside.strip_prefix("profile ").map_or(inside, str::trim);
            is_ours = title == name;
        } else if is_ours
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
        {
            values.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    values
}

/// What AWS' containers, Kubernetes and machines say about the role.
pub const ROLE: [&str; 7] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
const KEY_ID: &str = "aws_access_key_id";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Identity;
    use crate::config::large::{Large, Written};
    use crate::config::reader::Reader;

    struct Fake(HashMap<&'static str, &'static str>);

    impl Environment for Fake {
        fn var(&self, name: &str) -> Option<Vec<u8>> {
            self.0.get(name).map(|&value| value.into())
        }

        fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
            match path.to_str() {
                Some("/home/u/.aws/credentials") => Ok(CREDENTIALS.into()),
                Some("/home/u/.aws/config") => Ok(CONFIG.into()),
                _ => Err("no such file".to_owned()),
            }
        }

        fn check_identity(&self, _: &Identity) -> Result<(), String> {
            unreachable!("no certificate is asked for")
        }
    }

    /// Region and key id, or the role's variables; or the mistakes.
    fn read(text: &str, env: &[(&'static str, &'static str)]) -> String {
        let (mut reader, mut root) = Reader::new("f.toml", text);
        let section = root.table(&mut reader, "large_payloads").expect("a table");
        let written = Written::read(&mut reader, section);
        let mut mistakes = reader.into_mistakes();
        let environment = Fake(env.iter().copied().collect());
        let large = Large::new(&written, &environment, &mut mistakes);
        let Some(large) = large.filter(|_| mistakes.is_empty()) else {
            let said: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            return said.join("; ");
        };
        let who = match &large.credentials {
            Credentials::Keys { id, secret, token } => {
                assert_eq!(secret.reveal(), format!("{id}-hush").as_bytes());
                format!("{id}{}", if token.is_some() { "+token" } else { "" })
            }
            Credentials::Role(variables) => format!("{variables:?}"),
        };
        format!("{} {who}", large.region)
    }

    #[test]
    fn credentials_come_from_variables_then_a_profile_then_a_role() {
        const HOME: (&str, &str) = ("HOME", "/home/u");
        const REGION: (&str, &str) = ("AWS_REGION", "r-env");
        let text = "[large_payloads]\nbucket = 'events'\n";
        for (env, expected) in [
            (&[HOME, REGION][..], "r-env AKDEFAULT"),
            (&[HOME, ("AWS_PROFILE", "hooks")], "r-hooks AKHOOKS+token"),
            (&[HOME, ("AWS_PROFILE", "config")], "r-config AKCONFIG"),
            (
                &[HOME, REGION, ("AWS_PROFILE", "role")],
                "AWS_PROFILE: AWS' files have no profile \"role\" with an aws_access_key_id: a profile with a role, SSO or a credential_process is not read here",
            ),
            (
                &[HOME, REGION, ("AWS_PROFILE", "half")],
                "/home/u/.aws/credentials profile \"half\": the secret access key is missing",
            ),
            (
                &[
                    HOME,
                    REGION,
                    ("AWS_ACCESS_KEY_ID", "AKENV"),
                    ("AWS_SECRET_ACCESS_KEY", "AKENV-hush"),
                ],
                "r-env AKENV",
            ),
            (
                &[REGION, ("AWS_ACCESS_KEY_ID", "AKENV")],
                "AWS_ACCESS_KEY_ID: the secret access key is missing",
            ),
            (
                &[
                    REGION,
                    ("AWS_ROLE_ARN", "arn"),
                    ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"),
                ],
                r#"r-env [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn")]"#,
            ),
            (&[REGION], "r-env []"),
            (
                &[],
                "f.toml:1 large_payloads.region: missing: expected one such as \"eu-central-1\", here or in AWS_REGION, or an endpoint",
            ),
        ] {
            assert_eq!(read(text, env), expected, "{env:?}");
        }
        let with_region = format!("{text}region = 'r-file'\n");
        assert_eq!(read(&with_region, &[REGION]), "r-file []");
        let with_endpoint = format!("{text}endpoint = 'http://127.0.0.1:9000'\n");
        assert_eq!(read(&with_endpoint, &[]), "us-east-1 []");
    }

    const CREDENTIALS: &str = "\
[default]
aws_access_key_id=AKDEFAULT
aws_secret_access_key=AKDEFAULT-hush

[ hooks ]
# aws_access_key_id = AKOLD
aws_access_key_id = AKHOOKS
aws_secret_access_key = AKHOOKS-hush
aws_session_token = hush==
[half]
aws_access_key_id = AKHALF
";
    const CONFIG: &str = "\
[profile hooks]
region = r-hooks
aws_access_key_id = AKOTHER
[profile config]
region = r-config
aws_access_key_id = AKCONFIG
aws_secret_access_key = AKCONFIG-hush
[profile role]
role_arn = arn:aws:iam::1:role/r
";
}
