//! Where to listen: flags, then the file, then the defaults.

use super::Mistake;
use crate::cli::ServeArgs;

/// Where to listen: `host` may be a name, `port` 0 means any free one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Address or name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The setting's name, for messages.
    pub setting: &'static str,
}

impl Listen {
    /// `HOST:PORT` by which this machine reaches it; `None`: any free port.
    pub fn from_here(&self) -> Option<String> {
        let host = match self.host.as_str() {
            "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            host => host,
        };
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        (self.port != 0).then(|| format!("{host}:{}", self.port))
    }
}

/// Where the public listener listens; `file` is what the file says.
pub fn public(args: &ServeArgs, file: Option<&str>) -> Result<Listen, Mistake> {
    let from_file = file
        .map(|text| parse_listen(text, "[server] listen"))
        .transpose()?;
    let flags = args.host.is_some() || args.port.is_some();
    let setting = match &from_file {
        Some(listen) if !flags => listen.setting,
        _ => "--host, --port (TWF_HOST, TWF_PORT)",
    };
    let (host, port) = from_file
        .map(|listen| (listen.host, listen.port))
        .unwrap_or_else(|| (HOST.to_owned(), PORT));
    Ok(Listen {
        host: args.host.clone().unwrap_or(host),
        port: args.port.unwrap_or(port),
        setting,
    })
}

/// Where the admin listener listens, if there is one; `file` is what the file says.
pub fn admin(args: &ServeArgs, file: Option<&str>) -> Result<Option<Listen>, Mistake> {
    let flag = args
        .admin
        .as_deref()
        .map(|text| (text, "--admin (TWF_ADMIN)"));
    let from_file = file.map(|text| (text, "[admin] listen"));
    flag.or(from_file)
        .map(|(text, setting)| parse_listen(text, setting))
        .transpose()
}

/// Reads `ADDRESS:PORT`.
///
/// # Errors
/// What is accepted.
pub fn parse_listen(text: &str, setting: &'static str) -> Result<Listen, Mistake> {
    text.rsplit_once(':')
        .and_then(|(host, port)| Some((host.trim_matches(['[', ']']), port.parse().ok()?)))
        .filter(|(host, _)| !host.is_empty())
        .map(|(host, port)| Listen {
            host: host.to_owned(),
            port,
            setting,
        })
        .ok_or_else(|| {
            Mistake::new(
                setting,
                format!("{text:?}: expected ADDRESS:PORT, such as 127.0.0.1:9000"),
            )
        })
}

/// The default of `--host`.
pub const HOST: &str = "0.0.0.0";
/// The default of `--port`.
pub const PORT: u16 = 5000;
