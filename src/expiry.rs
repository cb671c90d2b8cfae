//! Certificates, and lists of revoked ones, that have expired or soon will: a warning at the start, when they are replaced, and
//! every day.

use std::ops::Range;
use std::slice;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use metrics::Label;
use tokio::sync::watch;

use crate::config::tls::Other;
use crate::config::{Config, Identity};
use crate::telemetry::{CERTIFICATE_EXPIRY, CERTIFICATE_LIFETIME};
use crate::temporal::connect::Settings;
use crate::tls::{self, Ordered};

/// A certificate, and until when it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    whose: Whose,
    /// When it expires, Unix seconds.
    end: i64,
    /// How many seconds it is good in all.
    lifetime: i64,
    /// So many seconds before, it should have been renewed.
    soon: i64,
}

/// Who shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whose {
    /// The listener, unless another is for the name that is asked for.
    Server,
    /// The listener, for other names: this file.
    Other(String),
    /// The listener, for the names that it was ordered for.
    Ordered,
    /// We to Temporal.
    Client,
    /// Nobody: this file says which certificates of clients are revoked.
    Revocation(String),
}

/// The certificates that senders see, and the one that Temporal sees.
pub fn certificates(
    config: &Config,
    temporal: &Settings,
    ordered: Option<&Arc<Ordered>>,
) -> Vec<Dated> {
    let mut dated = Vec::new();
    if let Some(tls) = &config.tls {
        let validity = |identity: &Identity| tls::validity(&identity.cert);
        let own = tls.identity.as_ref().and_then(validity);
        dated.extend(own.as_ref().map(Dated::server));
        for Other { file, identity } in &tls.others {
            dated.extend(validity(identity).map(|validity| Dated::other(file, &validity)));
        }
        let clients = tls.clients.as_ref();
        if let Some(lists) = clients.and_then(|clients| clients.revocation.as_ref()) {
            let validity = tls::revocation_validity(&lists.pem);
            dated.extend(validity.map(|validity| Dated::revocation(&lists.file, &validity)));
        }
    }
    let ordered = ordered.and_then(|ordered| ordered.validity());
    dated.extend(ordered.as_ref().map(Dated::ordered));
    dated.extend(temporal.certificate.as_ref().map(Dated::client));
    dated
}

/// Says in the metrics when those of the listener expire, and how long they live. One that was there
/// before and is no more would for ever be about to expire: it gets no number.
pub fn measure(certificates: &[Dated], before: &[Dated]) {
    let is_gone = |old: &&Dated| certificates.iter().all(|new| new.whose != old.whose);
    let gone = before.iter().filter(is_gone);
    let gone = gone.map(|dated| (&dated.whose, f64::NAN, f64::NAN));
    let there = certificates.iter();
    let there = there.map(|dated| (&dated.whose, dated.end as f64, dated.lifetime as f64));
    for (whose, end, lifetime) in gone.chain(there) {
        let label = match whose {
            Whose::Server => None,
            Whose::Other(file) => Some(file.clone()),
            Whose::Ordered => Some("acme".to_owned()),
            Whose::Client | Whose::Revocation(_) => continue,
        };
        let labels = label.map(|label| Label::new("certificate", label));
        let labels: Vec<_> = labels.into_iter().collect();
        metrics::gauge!(CERTIFICATE_EXPIRY, labels.clone()).set(end);
        metrics::gauge!(CERTIFICATE_LIFETIME, labels).set(lifetime);
    }
}

/// Puts a certificate that was ordered in the place of the one before.
pub fn renewed(certificates: &watch::Sender<Vec<Dated>>, new: Dated) {
    measure(slice::from_ref(&new), &[]);
    certificates.send_if_modified(|list| {
        let is_known = list.contains(&new);
        list.retain(|old| old.whose != new.whose);
        list.push(new);
        !is_known
    });
}

impl Dated {
    /// The listener's own. Most are renewed in the last third of their life: half of that is left.
    pub fn server(validity: &Range<i64>) -> Self {
        let lifetime = validity.end - validity.start;
        Self {
            whose: Whose::Server,
            end: validity.end,
            lifetime,
            soon: SOON.min(lifetime / 6),
        }
    }

    /// The listener's for other names.
    fn other(file: &str, validity: &Range<i64>) -> Self {
        Self {
            whose: Whose::Other(file.to_owned()),
            ..Self::server(validity)
        }
    }

    /// One that is ordered.
    pub fn ordered(validity: &Range<i64>) -> Self {
        Self {
            whose: Whose::Ordered,
            ..Self::server(validity)
        }
    }

    /// Lists of revoked certificates. Most are replaced after days.
    fn revocation(file: &str, validity: &Range<i64>) -> Self {
        Self {
            whose: Whose::Revocation(file.to_owned()),
            ..Self::client(validity)
        }
    }

    /// The one that is shown to Temporal. Some live for hours only, and are renewed in time.
    pub fn client(validity: &Range<i64>) -> Self {
        let server = Self::server(validity);
        Self {
            whose: Whose::Client,
            soon: SOON.min(server.lifetime / 3),
            ..server
        }
    }

    /// Whose it is, for people.
    pub fn what(&self) -> String {
        match &self.whose {
            Whose::Server => "the certificate".to_owned(),
            Whose::Other(file) => format!("the certificate {file}"),
            Whose::Ordered => "the ordered certificate".to_owned(),
            Whose::Client => "the client certificate for Temporal".to_owned(),
            Whose::Revocation(file) => format!("the revocation list {file}"),
        }
    }

    /// When it expires.
    pub fn date(&self) -> String {
        date(self.end)
    }

    /// At this time (Unix seconds), the whole days until then; below zero since then.
    pub const fn days_left(&self, now: i64) -> i64 {
        (self.end - now).div_euclid(DAY)
    }

    /// Whether it has expired at this time (Unix seconds), or should have been renewed.
    pub const fn is_soon(&self, now: i64) -> bool {
        self.end - now < self.soon
    }

    /// What is to be said of it at this time, if anything.
    fn warning(&self, now: i64) -> Option<String> {
        let (what, left) = (self.what(), self.end - now);
        let span = |seconds: i64| match seconds {
            0..DAY => format!("{} hours", seconds / 3600),
            _ => format!("{} days", seconds / DAY),
        };
        if left < 0 {
            return Some(format!("{what} expired {} ago", span(-left)));
        }
        self.is_soon(now)
            .then(|| format!("{what} expires in {}", span(left)))
    }
}

/// Warns for ever.
pub async fn watch(certificates: watch::Receiver<Vec<Dated>>) {
    let warn = |dated: &Dated, text: String| tracing::warn!(expires = date(dated.end), "{text}");
    look_daily(certificates, now, tokio::time::sleep, warn).await;
}

/// `now` gives Unix seconds, `pause` lets time go by.
async fn look_daily(
    mut certificates: watch::Receiver<Vec<Dated>>,
    now: impl Fn() -> i64,
    pause: impl AsyncFn(Duration),
    warn: impl Fn(&Dated, String),
) {
    loop {
        for dated in &*certificates.borrow_and_update() {
            if let Some(text) = dated.warning(now()) {
                warn(dated, text);
            }
        }
        tokio::select! {
            () = pause(EVERY) => {}
            Ok(()) = certificates.changed() => {}
        }
    }
}

/// Unix seconds.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

/// Unix seconds, as people read them.
pub fn date(seconds: i64) -> String {
    let since = Duration::from_secs(seconds.try_into().unwrap_or_default());
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string()
}

const DAY: i64 = 86_400;
/// Within so many seconds a certificate should have been renewed.
const SOON: i64 = 14 * DAY;
const EVERY: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::pending;

    use super::*;

    #[test]
    fn what_is_said_depends_on_what_is_left() {
        let dated = Dated::server(&(0..1_000 * DAY));
        for (now, said) in [
            (900 * DAY, None),
            (986 * DAY, None),
            (986 * DAY + 1, Some("the certificate expires in 13 days")),
            (999 * DAY + 1, Some("the certificate expires in 23 hours")),
            (1_000 * DAY + 1, Some("the certificate expired 0 hours ago")),
            (1_003 * DAY, Some("the certificate expired 3 days ago")),
        ] {
            assert_eq!(dated.warning(now).as_deref(), said, "{now}");
        }
        // Of six days: it is renewed when two are left.
        let six = 0..6 * DAY;
        for dated in [Dated::server(&six), Dated::ordered(&six)] {
            assert_eq!(dated.warning(5 * DAY), None);
            let said = dated.warning(5 * DAY + 3600);
            assert!(said.is_some_and(|said| said.ends_with("expires in 23 hours")));
        }
        // Of a day: it is renewed in its last third.
        let dated = Dated::client(&(0..DAY));
        assert_eq!(dated.warning(DAY / 2), None);
        assert!(dated.warning(DAY * 3 / 4).is_some());
    }

    /// Of a year.
    const fn until(end: i64) -> Range<i64> {
        end - 365 * DAY..end
    }

    #[tokio::test]
    async fn it_warns_at_once_and_daily_and_of_a_new_one_at_once() {
        let warned = Cell::new(0);
        let clock = Cell::new(0);
        let (sender, receiver) = watch::channel(vec![Dated::server(&until(16 * DAY))]);
        let days = RefCell::new(Vec::new());
        // Time stands still but for what is waited for; after 20 days nothing more happens.
        let pause = async |span: Duration| {
            days.borrow_mut().push(warned.get());
            if clock.get() >= 20 * DAY {
                return pending().await;
            }
            clock.set(clock.get() + span.as_secs() as i64);
        };
        let warn = |_: &Dated, _| warned.set(warned.get() + 1);
        let watching = look_daily(receiver, || clock.get(), pause, warn);
        let test = async {
            while clock.get() < 20 * DAY {
                tokio::task::yield_now().await;
            }
            tokio::task::yield_now().await;
            let before = warned.get();
            sender.send_replace(vec![Dated::server(&until(21 * DAY))]);
            tokio::task::yield_now().await;
            assert_eq!(warned.get(), before + 1, "a new one is looked at, at once");
            sender.send_replace(vec![Dated::server(&until(90 * DAY))]);
            tokio::task::yield_now().await;
            assert_eq!(warned.get(), before + 1, "a good one is not spoken of");
        };
        tokio::select! {
            biased;
            () = watching => unreachable!("it watches for ever"),
            () = test => {}
        }
        let days = days.borrow();
        // Nothing while 14 days or more are left, then one line a day.
        assert_eq!(days[..3], [0, 0, 0]);
        assert!(
            days[3..21]
                .iter()
                .enumerate()
                .all(|(day, count)| *count == day + 1),
            "{days:?}"
        );
    }
}
