//! A configuration file in a folder of its own, which a test rewrites while a forwarder runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;

use super::forwarder::ForwarderConfig;
use super::run_folder;

/// The folder. In every text, `FOLDER` stands for its path.
#[derive(Debug)]
pub(crate) struct Configured {
    folder: TempDir,
}

impl Configured {
    pub(crate) fn new(text: &str) -> Self {
        let folder = TempDir::new_in(run_folder()).expect("the folder of the run is writable");
        let configured = Self { folder };
        configured.write(FILE, text);
        configured
    }

    /// Plain HTTP with this file.
    pub(crate) fn plain(&self) -> ForwarderConfig {
        ForwarderConfig {
            tls: false,
            args: self.args(),
            ..ForwarderConfig::default()
        }
    }

    /// `--config FILE`, for as long as the process lives.
    pub(crate) fn args(&self) -> &'static [&'static str] {
        let path = self.path(FILE).to_str().expect("text").to_owned();
        Vec::leak(vec!["--config", String::leak(path)])
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the configuration file.
    pub(crate) fn rewrite(&self, text: &str) {
        self.write(FILE, text);
    }

    /// Replaces a file as a careful program does: another one, renamed.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let folder = self.folder.path().to_str().expect("text");
        let text = text.replace("FOLDER", folder);
        let new = self.path(&format!("{name}.new"));
        fs::write(&new, text).expect("the folder is writable");
        fs::rename(new, self.path(name)).expect("the folder is writable");
    }

    /// Shows these files in the way of a Kubernetes volume: `NAME -> ..data/NAME`, and `..data`
    /// swapped to another folder at once.
    pub(crate) fn mount(&self, version: &str, files: &[(&str, Vec<u8>)]) {
        let versioned = format!("..{version}");
        fs::create_dir(self.path(&versioned)).expect("the folder is writable");
        for (name, bytes) in files {
            let real = self.path(&versioned).join(name);
            fs::write(real, bytes).expect("the folder is writable");
            let link = self.path(name);
            if !link.is_symlink() {
                symlink(PathBuf::from("..data").join(name), link).expect("links can be made");
            }
        }
        symlink(&versioned, self.path("..data_tmp")).expect("links can be made");
        fs::rename(self.path("..data_tmp"), self.path("..data")).expect("the folder is writable");
    }
}

const FILE: &str = "forwarder.toml";
