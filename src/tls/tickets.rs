//! Session tickets sealed with keys of the settings: who has the same keys resumes the session,
//! be it another replica or the next process.

use std::fmt;
use std::time::SystemTime;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use tokio_rustls::rustls::server::ProducesTickets;
use webhook_core::secret::Secret;

/// The keys in use. A ticket is `name of the key || nonce || AES-256-GCM(time of issue || session)`.
pub(super) struct Tickets(Vec<Key>);

struct Key {
    /// Says which key opens a ticket, and nothing about the key.
    name: Name,
    cipher: RandomizedNonceKey,
}

type Name = [u8; 16];

impl Tickets {
    /// The first seals, all open.
    ///
    /// # Errors
    /// If the cipher takes none of them.
    pub(super) fn new(keys: &[Secret]) -> Result<Self, String> {
        let keys = keys.iter().map(Key::new).collect::<Option<_>>();
        keys.map(Self)
            .ok_or_else(|| "a key of session tickets cannot be used".to_owned())
    }

    /// No session is resumed.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    fn seal(&self, session: &[u8], now: u64) -> Option<Vec<u8>> {
        let Key { name, cipher } = self.0.first()?;
        let mut sealed = [&now.to_be_bytes(), session].concat();
        let nonce = cipher.seal_in_place_append_tag(Aad::from(name), &mut sealed);
        Some([name, &nonce.ok()?.as_ref()[..], &sealed].concat())
    }

    fn open(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<{ size_of::<Name>() }>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let key = self.0.iter().find(|key| key.name == *name)?;
        let mut opened = sealed.to_vec();
        let opened = key
            .cipher
            .open_in_place(Nonce::from(nonce), Aad::from(name), &mut opened)
            .ok()?;
        let (issued, session) = opened.split_first_chunk()?;
        // Whoever keeps a ticket longer than it was told to: rustls does not look.
        let age = now.saturating_sub(u64::from_be_bytes(*issued));
        (age <= LIFETIME.into()).then(|| session.to_vec())
    }
}

impl Key {
    fn new(secret: &Secret) -> Option<Self> {
        let root = hmac::Key::new(HMAC_SHA256, secret.reveal());
        let derive = |label: &[u8]| hmac::sign(&root, label);
        let name = derive(b"webhook forwarder: name of a session ticket key");
        let key = derive(b"webhook forwarder: session ticket, AES-256-GCM");
        Some(Self {
            name: *name.as_ref().first_chunk()?,
            cipher: RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).ok()?,
        })
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        !self.0.is_empty()
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        self.seal(session, now())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(ticket, now())
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tickets({} keys)", self.0.len())
    }
}

/// Unix seconds.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// Seconds: that of rustls' own tickets.
const LIFETIME: u32 = 12 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_000_000;
    const SESSION: &[u8] = b"a session";

    fn tickets(keys: &[u8]) -> Tickets {
        let secrets: Vec<_> = keys
            .iter()
            .map(|byte| Secret::new(vec![*byte; 32]).expect("not empty"))
            .collect();
        Tickets::new(&secrets).expect("keys of the right length")
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, both, new) = (tickets(&[1]), tickets(&[2, 1]), tickets(&[2]));
        let of_old = old.seal(SESSION, NOW).expect("sealed");
        assert_eq!(both.open(&of_old, NOW).as_deref(), Some(SESSION));
        assert_eq!(new.open(&of_old, NOW), None);
        let of_both = both.seal(SESSION, NOW).expect("sealed");
        assert_eq!(new.open(&of_both, NOW).as_deref(), Some(SESSION));
        assert_eq!(old.open(&of_both, NOW), None);
    }

    #[test]
    fn no_byte_of_a_ticket_can_be_another_and_none_be_missing() {
        let tickets = tickets(&[1, 2]);
        let good = tickets.seal(SESSION, NOW).expect("sealed");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(tickets.open(&bad, NOW), None, "byte {at}");
            assert_eq!(tickets.open(&good[..at], NOW), None, "{at} bytes");
        }
        let again = tickets.seal(SESSION, NOW).expect("sealed");
        assert_ne!(good, again, "each has a nonce of its own");
    }

    #[test]
    fn a_ticket_is_good_for_twelve_hours_whatever_its_key() {
        let tickets = tickets(&[1]);
        let ticket = tickets.seal(SESSION, NOW).expect("sealed");
        let end = NOW + 12 * 3600;
        assert_eq!(tickets.open(&ticket, end).as_deref(), Some(SESSION));
        assert_eq!(tickets.open(&ticket, end + 1), None);
        // The clock of the replica that sealed it is ahead of ours.
        assert_eq!(tickets.open(&ticket, NOW - 5).as_deref(), Some(SESSION));
    }

    #[test]
    fn debug_says_how_many_keys_there_are_and_no_more() {
        assert_eq!(format!("{:?}", tickets(&[1, 2])), "Tickets(2 keys)");
    }
}
