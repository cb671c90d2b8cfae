//! Conditions on texts alone, as in `topic == "orders/create" && headers["x-test"] != "true"`: most routes ask no
//! more. They are answered without the library, whose values cost ten times as much to make as to compare.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use super::scope::Scope;

/// A condition of this kind.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Always(bool),
    Equal(Text, Text),
    /// One of these.
    In(Text, Vec<Text>),
    /// What a text has to do with another.
    Related(Text, fn(&str, &str) -> bool, Text),
    Not(Box<Self>),
    Both(Box<[Self; 2]>),
    Either(Box<[Self; 2]>),
}

#[derive(Debug, Clone)]
pub(super) enum Text {
    Literal(String),
    /// The variable of this name.
    Variable(String),
    /// The header of this name.
    Header(String),
}

impl Condition {
    /// `None`: it is of another kind.
    pub(super) fn of(expression: &IdedExpr) -> Option<Self> {
        let call = match &expression.expr {
            Expr::Literal(LiteralValue::Boolean(truth)) => {
                return Some(Self::Always(*truth.inner()));
            }
            Expr::Call(call) => call,
            _ => return None,
        };
        match (call.func_name.as_str(), call.target.as_deref(), &*call.args) {
            (operators::EQUALS, None, [one, other]) => {
                Some(Self::Equal(Text::of(one)?, Text::of(other)?))
            }
            (operators::NOT_EQUALS, None, [one, other]) => {
                let equal = Self::Equal(Text::of(one)?, Text::of(other)?);
                Some(Self::Not(Box::new(equal)))
            }
            (operators::LOGICAL_NOT, None, [one]) => Some(Self::Not(Box::new(Self::of(one)?))),
            (operators::LOGICAL_AND, None, [one, other]) => {
                Some(Self::Both(Box::new([Self::of(one)?, Self::of(other)?])))
            }
            (operators::LOGICAL_OR, None, [one, other]) => {
                Some(Self::Either(Box::new([Self::of(one)?, Self::of(other)?])))
            }
            (operators::IN, None, [one, list]) => {
                let Expr::List(list) = &list.expr else {
                    return None;
                };
                let items = list.elements.iter().map(Text::of);
                Some(Self::In(Text::of(one)?, items.collect::<Option<_>>()?))
            }
            (name, Some(target), [argument]) => {
                let related: fn(&str, &str) -> bool = match name {
                    "startsWith" => |text, part| text.starts_with(part),
                    "endsWith" => |text, part| text.ends_with(part),
                    "contains" => |text, part| text.contains(part),
                    _ => return None,
                };
                Some(Self::Related(
                    Text::of(target)?,
                    related,
                    Text::of(argument)?,
                ))
            }
            _ => None,
        }
    }

    /// Whether it holds. `None`: the event lacks something beside which something else is asked, and the library
    /// knows what becomes of that.
    pub(super) fn holds(&self, scope: &Scope<'_>) -> Option<bool> {
        self.known(scope)
            .or_else(|| self.is_single().then_some(false))
    }

    fn is_single(&self) -> bool {
        match self {
            Self::Both(_) | Self::Either(_) => false,
            Self::Not(condition) => condition.is_single(),
            _ => true,
        }
    }

    /// `None`: the event lacks something.
    fn known(&self, scope: &Scope<'_>) -> Option<bool> {
        Some(match self {
            Self::Always(truth) => *truth,
            Self::Equal(one, other) => one.value(scope)? == other.value(scope)?,
            Self::In(one, list) => {
                let (one, mut list) = (one.value(scope)?, list.iter());
                list.try_fold(false, |found, item| {
                    Some(found | (item.value(scope)? == one))
                })?
            }
            Self::Related(text, related, part) => related(text.value(scope)?, part.value(scope)?),
            Self::Not(condition) => !condition.known(scope)?,
            Self::Both(both) => both[0].known(scope)? && both[1].known(scope)?,
            Self::Either(either) => either[0].known(scope)? || either[1].known(scope)?,
        })
    }
}

impl Text {
    fn of(expression: &IdedExpr) -> Option<Self> {
        match &expression.expr {
            Expr::Literal(LiteralValue::String(text)) => Some(Self::Literal(text.inner().into())),
            Expr::Ident(name) if Scope::has_text(name) => Some(Self::Variable(name.clone())),
            Expr::Call(call) => Self::header(call),
            _ => None,
        }
    }

    /// `headers["name"]`
    fn header(call: &CallExpr) -> Option<Self> {
        let (operators::INDEX, [map, name]) = (call.func_name.as_str(), &*call.args) else {
            return None;
        };
        match (&map.expr, &name.expr) {
            (Expr::Ident(map), Expr::Literal(LiteralValue::String(name))) if map == "headers" => {
                Some(Self::Header(name.inner().into()))
            }
            _ => None,
        }
    }

    fn value<'t>(&'t self, scope: &'t Scope<'_>) -> Option<&'t str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Variable(name) => scope.text(name),
            Self::Header(name) => scope.header(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use cel::Value;
    use proptest::prelude::*;

    use super::super::{Expression, Failure};
    use crate::event::tests::sample;
    use crate::variables;

    fn text() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "topic",
            "tenant",
            "\"orders/create\"",
            "\"\"",
            "\"orders\"",
            "headers[\"x-a\"]",
            "headers[\"x-b\"]",
            "headers[\"not-there\"]",
        ])
        .prop_map(str::to_owned)
    }

    fn condition() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            (text(), text()).prop_map(|(a, b)| format!("{a} == {b}")),
            (text(), text()).prop_map(|(a, b)| format!("{a} != {b}")),
            (text(), text(), text()).prop_map(|(a, b, c)| format!("{a} in [{b}, {c}]")),
            (text(), text()).prop_map(|(a, b)| format!("{a}.startsWith({b})")),
            (text(), text()).prop_map(|(a, b)| format!("{a}.endsWith({b})")),
            (text(), text()).prop_map(|(a, b)| format!("{a}.contains({b})")),
            Just("true".to_owned()),
            Just("false".to_owned()),
        ];
        leaf.prop_recursive(4, 16, 2, |inner| {
            prop_oneof![
                inner.clone().prop_map(|a| format!("!({a})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
                (inner.clone(), inner).prop_map(|(a, b)| format!("({a} || {b})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn it_says_what_the_library_says(condition in condition()) {
            let mut event = sample();
            event.topic = Some("orders/create".to_owned());
            event.headers = [("x-a", "orders"), ("x-b", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
            let mut scope = variables::scope(&event, "shop");
            let expression = Expression::condition(&condition).expect("a condition");
            let direct = expression.direct.as_ref().expect("of this kind");
            if let Some(holds) = direct.holds(&scope) {
                match expression.evaluate(&mut scope) {
                    Err(Failure::Missing(_)) => prop_assert!(!holds, "{condition}"),
                    library => prop_assert_eq!(library, Ok(Value::Bool(holds)), "{}", condition),
                }
            }
        }
    }

    #[test]
    fn what_asks_for_more_is_not_of_this_kind() {
        for condition in [
            "body.total > 1",
            "has(headers.a)",
            "headers.a == \"b\"",
            "query[\"a\"] == \"b\"",
            "verified",
            "topic == \"a\" && size(tenant) > 1",
            "topic.matches(\"a\")",
            "topic < \"b\"",
        ] {
            let expression = Expression::condition(condition).expect("a condition");
            assert!(expression.direct.is_none(), "{condition}");
        }
    }
}
