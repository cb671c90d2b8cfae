//! What goes wrong, when, and for how long: drawn before anything happens. In the end it is calm.

use std::time::Duration;

use super::random::Random;

/// From the beginning of the world on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weather {
    pub(crate) spells: Vec<Spell>,
    /// All connections that a replica has then never bring anything again.
    pub(crate) freezes: Vec<(Duration, usize)>,
    /// SIGKILL, and back after so long.
    pub(crate) kills: Vec<(Duration, usize, Duration)>,
    /// Another cluster takes over then, and has not heard of the last so much.
    pub(crate) fail_over: Option<(Duration, Duration)>,
    /// Nothing of this is after that.
    pub(crate) calm: Duration,
}

/// Something that lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spell {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) kind: Kind,
    /// The replica that it is about; `None`: all.
    pub(crate) replica: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every call takes so much longer.
    Slow(Duration),
    /// Nobody listens: connections are refused, those there are break.
    Down,
    /// Packets vanish.
    BlackHole,
    /// So many calls in a thousand meet a rate limit.
    Busy(u32),
    /// So many calls in a thousand are lost, or their answers are, or fail for no reason.
    Flaky(u32),
    /// An operator's mistake: permissions, the namespace.
    Refusing,
}

impl Weather {
    pub(crate) fn draw(random: &mut Random, replicas: usize) -> Self {
        let mut weather = Self::default();
        // One world in eight is fine.
        if random.chance(125) {
            return weather;
        }
        // Seconds, or hours: what senders repeat within minutes may be over before that.
        let longest = random.spread(Duration::from_secs(2), Duration::from_secs(3 * 3600));
        for _ in 0..1 + random.below(4) {
            weather.spells.push(spell(random, replicas, longest));
        }
        for _ in 0..random.below(3) {
            let at = random.between(Duration::ZERO, BUSY);
            weather.freezes.push((at, random.below(replicas)));
        }
        for _ in 0..random.below(3) {
            let at = random.between(Duration::ZERO, BUSY);
            let away = random.spread(Duration::from_millis(50), Duration::from_secs(20));
            weather.kills.push((at, random.below(replicas), away));
        }
        weather.kills.sort();
        if random.chance(200) {
            let lag = random.spread(Duration::from_millis(100), Duration::from_secs(8));
            let at = lag + random.between(Duration::ZERO, BUSY);
            weather.fail_over = Some((at, lag));
            let lasts = random.spread(Duration::from_millis(200), Duration::from_secs(30));
            weather.spells.push(Spell {
                from: at.saturating_sub(Duration::from_millis(300)),
                to: at + lasts,
                kind: random.pick(&[Kind::Down, Kind::BlackHole, Kind::Refusing]),
                replica: None,
            });
        }
        let spells = weather.spells.iter().map(|spell| spell.to);
        let freezes = weather.freezes.iter().map(|(at, _)| *at);
        let kills = weather.kills.iter().map(|(at, _, away)| *at + *away);
        let all = spells.chain(freezes).chain(kills);
        weather.calm = all.max().unwrap_or_default();
        weather
    }

    /// What there is for this replica.
    pub(crate) fn at(&self, now: Duration, replica: usize) -> impl Iterator<Item = Kind> {
        let here = self.spells.iter().filter(move |spell| {
            let is_mine = spell.replica.is_none_or(|of| of == replica);
            spell.from <= now && now < spell.to && is_mine
        });
        here.map(|spell| spell.kind)
    }

    /// Whether a connection that was made at `made` has frozen.
    pub(crate) fn is_frozen(&self, made: Duration, now: Duration, replica: usize) -> bool {
        let mut mine = self.freezes.iter().filter(|(_, of)| *of == replica);
        mine.any(|(at, _)| made < *at && *at <= now)
    }
}

fn spell(random: &mut Random, replicas: usize, longest: Duration) -> Spell {
    let from = random.between(Duration::ZERO, BUSY);
    let lasts = random.spread(Duration::from_millis(300), longest);
    let kind = match random.below(6) {
        0 => Kind::Slow(random.spread(Duration::from_millis(100), Duration::from_secs(9))),
        1 => Kind::Down,
        2 => Kind::BlackHole,
        3 => Kind::Busy(random.pick(&[300, 1000])),
        4 => Kind::Flaky(random.pick(&[100, 400, 800])),
        _ => Kind::Refusing,
    };
    Spell {
        from,
        to: from + lasts,
        kind,
        replica: random.chance(300).then(|| random.below(replicas)),
    }
}

/// When events come for the first time.
pub(crate) const BUSY: Duration = Duration::from_secs(40);
