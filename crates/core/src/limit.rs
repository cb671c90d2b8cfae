//! How much one source takes in a time, and who is counted by himself.

use core::num::NonZeroU32;
use std::time::Duration;

use super::event::Event;
use super::expression::Expression;
use super::expression::cost::Allowance;
use super::expression::template::Template;
use super::variables;

/// `rate_limit` of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// The shortest first; at least one.
    pub rates: Vec<Rate>,
    /// Who has a limit of his own.
    pub counted: Counted,
}

/// So many in a time, and at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// As the file has it: `per_second`.
    pub name: &'static str,
    /// The time.
    pub per: Duration,
    /// So many in it, evenly.
    pub number: NonZeroU32,
    /// So many at once, after a pause.
    pub burst: NonZeroU32,
}

/// Who is counted by himself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Nobody: all events of the source are counted together.
    Together,
    /// Each client's address, before anything is verified.
    Client,
    /// Whatever an expression says of an event.
    By(Template),
}

/// `[server] block`: an address that signs badly is not listened to for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// So many bad signatures …
    pub bad_signatures: u32,
    /// … within so long of the first …
    pub within: Duration,
    /// … and for so long nothing of the address is looked at.
    pub lasts: Duration,
}

impl Counted {
    /// Of the text of `key`: the word `client`, or an expression.
    ///
    /// # Errors
    /// Why it is none, and what would be one.
    pub fn by(text: &str) -> Result<Self, String> {
        if text.trim() == CLIENT {
            return Ok(Self::Client);
        }
        let expression = Expression::compile(text).map_err(|problem| {
            let alone = if text.contains(CLIENT) { ALONE } else { "" };
            problem + alone
        })?;
        let template = Template::of(expression);
        match template.type_mismatch(true) {
            Some(problem) => Err(problem),
            None => Ok(Self::By(template)),
        }
    }

    /// Under what an event of the source of this name is counted. Those for which there is no such text
    /// are counted together.
    pub fn of(&self, event: &Event, name: &str) -> String {
        let Self::By(template) = self else {
            return String::new();
        };
        let mut scope = variables::scope(event, name).with_allowance(Allowance::Brief);
        let text = template.text(&mut scope);
        text.ok()
            .filter(|_| !scope.is_cut_short())
            .unwrap_or_default()
    }
}

const CLIENT: &str = "client";
const ALONE: &str = "; \"client\" stands alone: behind trusted_proxies an expression has it as headers[\"x-webhook-client\"]";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Data;
    use crate::event::tests::sample;

    #[test]
    fn a_key_is_a_word_or_an_expression() {
        assert_eq!(Counted::by(" client "), Ok(Counted::Client));
        for (text, says) in [
            (
                "tenat",
                "unknown variable \"tenat\" (did you mean `tenant`?)",
            ),
            ("client + tenant", "\"client\" stands alone"),
            ("[tenant]", "expected a text"),
            ("", ""),
        ] {
            let problem = Counted::by(text).expect_err(text);
            assert!(problem.contains(says), "{text}: {problem}");
        }
    }

    #[test]
    fn events_without_the_text_are_counted_together() {
        let event = Event {
            data: Data::Json(br#"{"id":7,"list":[1]}"#.as_slice().into()),
            ..sample()
        };
        for (text, expected) in [
            ("tenant", "a.myshopify.com"),
            ("body.id", "7"),
            ("tenant + ':' + topic", "a.myshopify.com:orders/create"),
            ("body.nothing", ""),
            ("body.list", ""),
        ] {
            let counted = Counted::by(text).expect(text);
            assert_eq!(counted.of(&event, "shopify"), expected, "{text}");
        }
        assert_eq!(Counted::Together.of(&event, "shopify"), "");
    }
}
