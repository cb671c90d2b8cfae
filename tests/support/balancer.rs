//! A balancer that passes TCP on: each connection to the replica that an even, but not regular, hand deals it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    taken: Arc<[AtomicUsize; 2]>,
    accepting: JoinHandle<()>,
}

impl Balancer {
    pub(crate) async fn start(replicas: [SocketAddr; 2]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let taken = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let counts = Arc::clone(&taken);
        let accepting = tokio::spawn(async move {
            let mut number = 0_u32;
            while let Ok((mut client, _)) = listener.accept().await {
                // Thue and Morse's sequence: as fair as turns, and never in a rhythm.
                let replica = (number.count_ones() % 2) as usize;
                number += 1;
                counts[replica].fetch_add(1, Ordering::Relaxed);
                let target = replicas[replica];
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(target).await.expect("it listens");
                    copy_bidirectional(&mut client, &mut server).await.ok();
                });
            }
        });
        Self {
            address,
            taken,
            accepting,
        }
    }

    /// How many connections each replica got.
    pub(crate) fn taken(&self) -> [usize; 2] {
        self.taken.each_ref().map(|it| it.load(Ordering::Relaxed))
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
