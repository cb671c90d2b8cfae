//! `health`: what a container, a unit or a person asks a running forwarder.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::proxy::ChaosProxy;
use crate::support::run::Run;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn it_asks_where_flags_variables_or_the_file_say_that_serve_listens() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let (port, url) = (forwarder.public.port().to_string(), url(&forwarder));
        let ready = format!("ready: {url}/health/ready\n");
        let live = format!("live: {url}/health/live\n");
        // The certificate is nobody's that this machine trusts, and no proxy leads here.
        let proxy = [
            ("HTTPS_PROXY", "http://127.0.0.1:1"),
            ("TWF_PORT", port.as_str()),
        ];
        assert_eq!(health(&["--port", &port], &[]).fine(), ready);
        assert_eq!(health(&[], &proxy).fine(), ready);
        assert_eq!(health(&["--live", "--port", &port], &[]).fine(), live);

        let folder = TempDir::new().expect("a temporary folder can be made");
        let file = folder.path().join("forwarder.toml");
        let name = file.to_str().expect("its name is text");
        let write = |text: String| fs::write(&file, text).expect("the folder is writable");
        write(format!("[server]\nlisten = '127.0.0.1:{port}'\n"));
        assert_eq!(health(&[], &[("TWF_CONFIG", name)]).fine(), ready);
        // A running forwarder stays with the file that it read before.
        write(format!("[server]\nlisten = '0.0.0.0:{port}'\nlisen = 1\n"));
        assert_eq!(health(&["--config", name], &[]).fine(), ready);
        write("[server\n".to_owned());
        let broken = health(&["--config", name, "--port", &port], &[]);
        assert_eq!((broken.code, broken.stdout.as_str()), (Some(0), &*ready));
        assert!(broken.stderr.starts_with("warning: "), "{broken:?}");
        assert!(broken.stderr.contains("flags and variables"), "{broken:?}");
    });
}

#[test]
fn without_temporal_it_is_not_ready_and_live() {
    run(async {
        let proxy = ChaosProxy::refusing(Temporal::shared().await.address());
        let forwarder = Forwarder::without_temporal(&proxy).await;
        let port = forwarder.public.port().to_string();
        health(&["--port", &port], &[]).failed(
            1,
            &[
                "error: not ready: Temporal does not answer as it should",
                "answers 503",
            ],
        );
        health(&["--live", "--port", &port], &[]).fine();
    });
}

#[test]
fn it_asks_plain_http_as_serve_speaks_it() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            tls: false,
            ..Default::default()
        });
        let forwarder = forwarder.await;
        let port = forwarder.public.port().to_string();
        let ready = format!("ready: {}/health/ready\n", url(&forwarder));
        assert_eq!(health(&["--no-tls", "--port", &port], &[]).fine(), ready);
        let env = [("TWF_NO_TLS", "true"), ("TWF_PORT", &port)];
        assert_eq!(health(&[], &env).fine(), ready);
        let tls = health(&["--port", &port], &[]);
        tls.failed(1, &["https://127.0.0.1:", "does not answer: "]);
    });
}

#[test]
fn a_url_leads_anywhere_and_only_on_loopback_past_the_certificate() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let own = url(&forwarder);
        health(&["--url", &own], &[]).fine();
        let admin = format!("http://{}/health/live", forwarder.admin);
        assert_eq!(
            health(&["--url", &admin], &[]).fine(),
            format!("live: {admin}\n")
        );
        // Linux leads this address to loopback; it is none.
        let other = format!("https://0.0.0.0:{}", forwarder.public.port());
        health(&["--url", &other], &[]).failed(1, &["certificate"]);
        health(&["--url", &other, "--insecure"], &[]).fine();
    });
}

#[test]
fn who_does_not_answer_or_is_no_forwarder_is_ill() {
    let (free, socket) = listener();
    drop(socket);
    health(&["--port", &free.port().to_string()], &[]).failed(
        1,
        &[
            &format!("error: https://{free}/health/ready does not answer: "),
            "refused",
        ],
    );

    let (mute, _held) = listener();
    let started = Instant::now();
    let url = format!("http://{mute}");
    health(&["--url", &url], &[]).failed(1, &["nothing came within 5 s"]);
    assert!(started.elapsed() >= Duration::from_secs(5));

    let (stranger, socket) = listener();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().expect("somebody asks");
        let asked = stream.read(&mut [0; 4096]).expect("it is open");
        assert!(asked > 0);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
        stream.write_all(answer).expect("it is open");
    });
    let url = format!("http://{stranger}");
    health(&["--url", &url], &[]).failed(1, &["no forwarder", "answers 200"]);
    answering.join().expect("it does not panic");
}

#[test]
fn what_cannot_be_asked_is_said() {
    health(&["--port", "0"], &[]).failed(64, &["any free one", "--url"]);
    health(&["--url", "localhost:5000"], &[]).failed(64, &["localhost:5000", "https://HOST:PORT"]);
    health(&["--insecure"], &[]).failed(64, &["--url"]);
    health(&[], &[("TWF_PORT", "none")]).misconfigured(&["TWF_PORT"]);
}

fn health(args: &[&str], env: &[(&str, &str)]) -> Run {
    Run::new(&[&["health"], args].concat(), env)
}

fn url(forwarder: &Forwarder) -> String {
    let scheme = if forwarder.tls { "https" } else { "http" };
    format!("{scheme}://{}", forwarder.public)
}

fn listener() -> (SocketAddr, TcpListener) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    (socket.local_addr().expect("it is bound"), socket)
}
