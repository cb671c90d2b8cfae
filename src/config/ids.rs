//! The names of sources, and the workflow ids that they give: an event is a duplicate only of an
//! event of its own source, so no two sources may give the same ids by accident.

use std::collections::HashSet;

use webhook_core::action::Action;
use webhook_core::dead_letter;
use webhook_core::expression::template::{Part, Template};
use webhook_core::provider::IdScope;
use webhook_core::source::Source;

use super::Mistake;
use super::file;

/// Each source's name, `None` for one without; another source's is a mistake.
pub(super) fn names(entries: &[file::Source], mistakes: &mut Vec<Mistake>) -> Vec<Option<String>> {
    let mut names: Vec<Option<String>> = Vec::new();
    for entry in entries {
        // A name or a path that cannot be read was a mistake already.
        let is_read = entry.name.is_some() || !entry.places.has("name") && !entry.path.is_empty();
        let name = match entry.name() {
            Ok(name) => Some(name),
            Err(problem) => {
                if is_read {
                    mistakes.push(Mistake::new(entry.places.of("name"), problem));
                }
                None
            }
        };
        let same = names
            .iter()
            .position(|other| is_read && name.is_some() && *other == name);
        if let (Some(name), Some(same)) = (&name, same.map(|index| &entries[index]))
            && same.path != entry.path
        {
            let problem = format!(
                "{name:?} is the name of {:?}, too, and ids begin with it: give {:?} another, such as name = \"{name}-2\"",
                same.path, entry.path
            );
            mistakes.push(Mistake::new(entry.places.of("name"), problem));
        }
        names.push(name);
    }
    names
}

/// Ids of one shape are a mistake, ids of two shapes that may be the same a warning: one for each
/// two sources.
pub(super) fn check(
    entries: &[file::Source],
    names: &[Option<String>],
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<Mistake>,
) {
    let sources: Vec<_> = (entries.iter().zip(names))
        .filter_map(|(entry, name)| Some(Ids::new(entry, name.as_deref()?)))
        .collect();
    for (index, ids) in sources.iter().enumerate() {
        mistakes.extend(sources.iter().find_map(|of| ids.dead_letter_of(of)));
        for other in &sources[..index] {
            // The same path or name was a mistake already.
            let is_twice = ids.entry.path == other.entry.path || ids.name == other.name;
            if is_twice || ids.entry.shared_ids && other.entry.shared_ids {
                continue;
            }
            if let Some(mistake) = ids.same_as(other) {
                mistakes.push(mistake);
            } else if let Some(warning) = ids.may_meet(other) {
                warnings.push(warning);
            }
        }
    }
}

/// A signal reaches what a route of any source starts with the same template: it writes the id as that
/// does.
pub(super) fn reach_what_is_started(sources: &mut [Source]) {
    let started: Vec<_> = (sources.iter().flat_map(|source| &source.routes))
        .map(|route| &route.settings)
        .filter(|settings| settings.action.starts())
        .map(|settings| settings.workflow_id.clone())
        .collect();
    let routes = sources.iter_mut().flat_map(|source| &mut source.routes);
    for settings in routes.map(|route| &mut route.settings) {
        settings.is_given_id &= !started.contains(&settings.workflow_id);
    }
}

/// The ids of the workflows that a source starts.
struct Ids<'e> {
    entry: &'e file::Source,
    name: &'e str,
    forms: Vec<Form<'e>>,
}

/// The ids of a route.
struct Form<'e> {
    template: &'e Template,
    place: String,
    /// With the names of its source in it.
    shape: Vec<Part>,
    /// The same, byte by byte.
    tokens: Vec<Token>,
    /// One workflow for each event; otherwise one for many.
    is_per_event: bool,
}

impl<'e> Ids<'e> {
    fn new(entry: &'e file::Source, name: &'e str) -> Self {
        let mut ids = Self {
            entry,
            name,
            forms: Vec::new(),
        };
        let (base, places) = (&entry.overrides, &entry.places);
        for route in &entry.routes {
            let own = &route.overrides;
            if own.action.is_some() || !route.places.has("action") {
                let at_route = own.workflow_id.is_some();
                let place = if at_route { &route.places } else { places };
                let template = own.workflow_id.as_ref().or(base.workflow_id.as_ref());
                ids.add(
                    own.action.or(base.action),
                    template,
                    place.of("workflow_id"),
                );
            }
        }
        if base.action.is_some() || !places.has("action") {
            let place = places.of("workflow_id");
            ids.add(base.action, base.workflow_id.as_ref(), place);
        }
        ids
    }

    fn add(&mut self, action: Option<Action>, written: Option<&'e Template>, place: String) {
        let Some(provider) = &self.entry.provider else {
            return;
        };
        let action = action.unwrap_or_default();
        let is_per_event = action == Action::Start;
        // Other actions say which workflow; without that they are a mistake already.
        let default = is_per_event.then_some(&provider.workflow_id);
        let template = match action {
            Action::Start | Action::SignalWithStart | Action::UpdateWithStart => {
                written.or(default)
            }
            Action::Signal | Action::Drop => None,
        };
        let Some(template) = template else { return };
        let Some(shape) = template.shape(self.name, &provider.name, &self.entry.path) else {
            return;
        };
        let is_new = |form: &Form<'_>| form.shape != shape || form.is_per_event != is_per_event;
        if self.forms.iter().all(is_new) {
            self.forms.push(Form {
                template,
                place,
                tokens: tokens(&shape),
                shape,
                is_per_event,
            });
        }
    }

    fn starts(&self) -> impl Iterator<Item = &Form<'e>> {
        self.forms.iter().filter(|form| form.is_per_event)
    }

    /// The mistake, if an event of one may be a duplicate of the other's.
    fn same_as(&self, other: &Self) -> Option<Mistake> {
        let is_of_one_subscription = self.is_of_one_subscription(other);
        let is_meant = |form: &Form<'_>| is_of_one_subscription && form.template.reads("event_id");
        let form = self.starts().find(|form| {
            !is_meant(form) && other.starts().any(|theirs| theirs.shape == form.shape)
        })?;
        let (own, theirs) = (&self.entry.path, &other.entry.path);
        let advised = match form.template.to_string() {
            id if id.contains("{name}") => "{name}:{event_id}".to_owned(),
            id => format!("{{name}}:{id}"),
        };
        Some(Mistake::new(
            &form.place,
            format!(
                "{:?} gives the events of {own:?} the same ids as those of {theirs:?}: one would be answered as a duplicate of the other and never start; \
                 expected workflow_id = {advised:?} in one of them or, if they are the same events under two paths, shared_ids = true in both",
                form.template.to_string()
            ),
        ))
    }

    /// The mistake, if an event of one may have the id of a dead letter of the other's, so that one would
    /// be answered as stored because of the other. What a hole begins cannot: see [`Template::id`].
    fn dead_letter_of(&self, other: &Self) -> Option<Mistake> {
        let path = &other.entry.path;
        // Most begin otherwise, and need no closer look.
        let mut forms = self.forms.iter().filter(|form| {
            let Some(Part::Text(text)) = form.shape.first() else {
                return false;
            };
            let mut both = text.bytes().zip(dead_letter::NAME.bytes());
            both.all(|(own, letter)| own == letter)
        });
        let form = forms.find(|form| {
            let letters = [
                Part::Text(dead_letter::id_prefix(path)),
                Part::Hole("event_id".to_owned()),
            ];
            meet(&form.tokens, &tokens(&letters))
        })?;
        Some(Mistake::new(
            &form.place,
            format!(
                "{:?} may give an event of {:?} the id of a dead letter of {path:?}, which begins with {:?}: one would be taken for the other; \
                 expected an id that begins otherwise, such as workflow_id = \"{{name}}:{{event_id}}\"",
                form.template.to_string(),
                self.entry.path,
                dead_letter::id_prefix(path),
            ),
        ))
    }

    /// The warning, if ids of one may be the other's.
    fn may_meet(&self, other: &Self) -> Option<Mistake> {
        let all = self.forms.iter().flat_map(|form| {
            let theirs = other.forms.iter();
            theirs.map(move |theirs| (form, theirs))
        });
        // One workflow for many events of both may be what is meant.
        let mut pairs = all.filter(|(form, theirs)| form.is_per_event || theirs.is_per_event);
        let (form, theirs) = pairs.find(|(form, theirs)| {
            let is_excused = form.shape == theirs.shape && form.is_per_event && theirs.is_per_event;
            !is_excused && meet(&form.tokens, &theirs.tokens)
        })?;
        Some(Mistake::new(
            &form.place,
            format!(
                "{:?} may give an event of {:?} the id that {:?} gives one of {:?}: one would be taken for the other; {{name}}: at the beginning of both keeps them apart",
                form.template.to_string(),
                self.entry.path,
                theirs.template.to_string(),
                other.entry.path
            ),
        ))
    }

    /// Whether their sender gives no two subscriptions the same id.
    fn is_of_one_subscription(&self, other: &Self) -> bool {
        self.sender_of_unique_ids().is_some()
            && self.sender_of_unique_ids() == other.sender_of_unique_ids()
    }

    fn sender_of_unique_ids(&self) -> Option<&str> {
        let provider = self.entry.provider.as_ref()?;
        let places = self.entry.event_id.as_ref();
        let holds = provider.id_scope == IdScope::Subscription
            && places.is_none_or(|places| places.is_empty() || *places == provider.id);
        holds.then_some(provider.name.as_str())
    }
}

/// Whether one text may be of both shapes.
fn meet(one: &[Token], other: &[Token]) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![(0, 0)];
    while let Some(at) = open.pop() {
        if !seen.insert(at) {
            continue;
        }
        let (left, right) = (one.get(at.0), other.get(at.1));
        if left.is_none() && right.is_none() {
            return true;
        }
        if matches!(left, Some(Token::More(_))) {
            open.push((at.0 + 1, at.1));
        }
        if matches!(right, Some(Token::More(_))) {
            open.push((at.0, at.1 + 1));
        }
        let (Some(left), Some(right)) = (left, right) else {
            continue;
        };
        if left.and(*right) {
            open.push((at.0 + left.step(), at.1 + right.step()));
        }
    }
    false
}

/// What may stand at one place of an id.
#[derive(Clone, Copy)]
enum Token {
    /// This byte.
    Byte(u8),
    /// One of a hole's; of one at the beginning no colon.
    Any { colon: bool },
    /// Any number of them.
    More(bool),
}

impl Token {
    /// Whether a byte may be both.
    fn and(self, other: Self) -> bool {
        match (self, other) {
            (Self::Byte(one), Self::Byte(other)) => one == other,
            (Self::Byte(byte), Self::Any { colon } | Self::More(colon))
            | (Self::Any { colon } | Self::More(colon), Self::Byte(byte)) => {
                (b' '..=b'~').contains(&byte) && (colon || byte != b':')
            }
            _ => true,
        }
    }

    const fn step(self) -> usize {
        match self {
            Self::More(_) => 0,
            Self::Byte(_) | Self::Any { .. } => 1,
        }
    }
}

fn tokens(shape: &[Part]) -> Vec<Token> {
    let tokens = shape
        .iter()
        .enumerate()
        .flat_map(|(index, part)| match part {
            Part::Text(text) => text.bytes().map(Token::Byte).collect(),
            Part::Hole(_) => {
                let colon = index > 0;
                vec![Token::Any { colon }, Token::More(colon)]
            }
        });
    tokens.collect()
}
