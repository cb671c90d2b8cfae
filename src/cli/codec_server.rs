//! The flags of `codec-server`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::log::LogFormat;

/// Flags of `codec-server`.
#[derive(Debug, Clone, Args)]
pub struct CodecServerArgs {
    /// Configuration file (TOML), for the keys in its `[encryption]`
    #[arg(long, value_name = "FILE", env = "TWF_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where to listen; anything but loopback needs a token
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "TWF_CODEC_LISTEN",
        default_value = "127.0.0.1:8081"
    )]
    pub listen: String,
    /// Where the token is that callers must show (`Authorization: Bearer …`): `env:NAME` or `file:PATH` [default: none]
    #[arg(long, value_name = "SECRET", env = "TWF_CODEC_TOKEN")]
    pub token: Option<String>,
    /// Web page that may ask, such as `https://temporal.example.com`; may be given several times (variable: with commas)
    #[arg(long = "origin", value_name = "ORIGIN", env = "TWF_CODEC_ORIGIN", value_delimiter = ',',
          default_values = ["http://localhost:8233", "http://127.0.0.1:8233"])]
    pub origins: Vec<String>,
    /// Certificate chain, PEM: serves TLS [default: none, plain HTTP]
    #[arg(long, value_name = "FILE", env = "TWF_CODEC_CERT")]
    pub cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", env = "TWF_CODEC_KEY")]
    pub key: Option<PathBuf>,
    /// How log lines are written, on standard error [default: text on a terminal, json elsewhere]
    #[arg(long, value_name = "FORMAT", env = "TWF_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Log more: never a payload, a key or a token
    #[arg(short, long, env = "TWF_DEBUG", value_parser = BoolishValueParser::new())]
    pub debug: bool,
}
