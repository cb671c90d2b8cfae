//! The harness: real programs as children, a network that breaks, and what Temporal says.

pub(crate) mod authority;
pub(crate) mod balancer;
pub(crate) mod certs;
#[allow(dead_code, reason = "the other test binary uses the rest")]
pub(crate) mod chain;
pub(crate) mod codec;
pub(crate) mod codec_server;
pub(crate) mod collector;
pub(crate) mod configured;
pub(crate) mod connect_proxy;
pub(crate) mod delivery;
pub(crate) mod dev;
pub(crate) mod event;
pub(crate) mod formats;
pub(crate) mod forwarder;
pub(crate) mod gateway;
pub(crate) mod grpc;
pub(crate) mod held;
pub(crate) mod history;
pub(crate) mod inspect;
pub(crate) mod install;
pub(crate) mod leaks;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod passed;
pub(crate) mod pebble;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod proxy_protocol;
pub(crate) mod raw;
pub(crate) mod run;
pub(crate) mod s3;
pub(crate) mod sdk;
pub(crate) mod sender;
pub(crate) mod sources;
pub(crate) mod stream;
pub(crate) mod telemetry;
pub(crate) mod temporal;
pub(crate) mod wait;
pub(crate) mod worker;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where this run keeps the logs of its children; removed by the next run.
pub(crate) fn run_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let runs = fs::read_dir(base).expect("cargo makes it").flatten();
        for run in runs {
            let name = run.file_name().to_string_lossy().into_owned();
            let pid = name.strip_prefix("run-");
            let pid = pid.and_then(|rest| rest.split('-').next());
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                fs::remove_dir_all(run.path()).ok();
            }
        }
        let folder = base.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder is writable");
        folder
    })
}
