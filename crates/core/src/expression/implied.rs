//! Whether one condition takes everything that another one would: then a route behind it is never
//! reached. Only what can be told without the event: a false "no" costs a warning, nothing else.

use cel::common::ast::{Expr, IdedExpr, operators};
use cel::{Context, Value};

use super::cost::{self, Allowance};
use super::{ENV, Expression};

/// What a condition asks of an event, taken apart once for comparing it with many others.
pub struct Requirements {
    always: bool,
    /// The parts of the whole that `&&` joins.
    required: Vec<IdedExpr>,
    /// The same of each condition that the whole joins with `||`.
    alternatives: Vec<Vec<IdedExpr>>,
}

impl Requirements {
    /// Of this condition.
    pub fn of(condition: &Expression) -> Self {
        let operands = operands(&condition.code, operators::LOGICAL_OR);
        Self {
            always: operands.iter().any(|part| is_true(part)),
            required: conjuncts(&condition.code),
            alternatives: operands.into_iter().map(conjuncts).collect(),
        }
    }

    /// Whether they hold for every event: a part that alone is enough reads nothing of the event and
    /// is true.
    pub const fn always_hold(&self) -> bool {
        self.always
    }

    /// Whether they hold for every event for which `later` hold: `later` ask for all of it, or for
    /// all of a condition that it joins with `||`, and perhaps for more.
    pub fn covers(&self, later: &Self) -> bool {
        let mut alternatives = self.alternatives.iter().chain([&self.required]);
        alternatives.any(|operands| operands.iter().all(|part| later.required.contains(part)))
    }
}

/// What the operator joins, however deep.
fn operands<'e>(expression: &'e IdedExpr, operator: &str) -> Vec<&'e IdedExpr> {
    match &expression.expr {
        Expr::Call(call) if call.func_name == operator => call
            .args
            .iter()
            .flat_map(|part| operands(part, operator))
            .collect(),
        _ => vec![expression],
    }
}

/// What it joins with `&&`.
fn conjuncts(expression: &IdedExpr) -> Vec<IdedExpr> {
    let operands = operands(expression, operators::LOGICAL_AND);
    operands.into_iter().map(without_ids).collect()
}

fn is_true(expression: &IdedExpr) -> bool {
    let mut budget = Allowance::Full.budget();
    let context = Context::with_env(std::sync::Arc::clone(&ENV));
    // Whatever it reads is not there, which is no value.
    let value = cost::within(&mut budget, || Value::resolve(expression, &context));
    matches!(value, Ok(Ok(Value::Bool(true))))
}

/// The same without the numbers that the parser gives to each piece.
fn without_ids(expression: &IdedExpr) -> IdedExpr {
    let mut expression = expression.clone();
    clear_ids(&mut expression);
    expression
}

fn clear_ids(expression: &mut IdedExpr) {
    // What has pieces of another kind keeps its numbers, and is equal to nothing else.
    match &mut expression.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| clear_ids(target));
            call.args.iter_mut().for_each(clear_ids);
        }
        Expr::Select(select) => clear_ids(&mut select.operand),
        Expr::List(list) => list.elements.iter_mut().for_each(clear_ids),
        Expr::Ident(_) | Expr::Literal(_) => {}
        _ => return,
    }
    expression.id = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demands(text: &str) -> Requirements {
        let condition = Expression::condition(text);
        Requirements::of(&condition.unwrap_or_else(|problem| panic!("{text}: {problem}")))
    }

    #[test]
    fn what_holds_for_every_event_is_known_without_one() {
        for text in [
            "true",
            "1 == 1",
            "'a' in ['a']",
            "!false",
            "topic == '' || true",
            "1 < 2 && true",
        ] {
            assert!(demands(text).always_hold(), "{text}");
        }
        for text in [
            "false",
            "topic == topic",
            "topic == '' && true",
            "verified",
            "1 > 2",
            "has(body.a)",
        ] {
            assert!(!demands(text).always_hold(), "{text}");
        }
    }

    #[test]
    fn what_an_earlier_condition_takes_is_known() {
        for (earlier, later) in [
            ("topic == 'a'", "topic == 'a'"),
            ("topic=='a'", "topic == \"a\""),
            ("topic == 'a'", "topic == 'a' && body.total > 5"),
            (
                "topic == 'a'",
                "body.total > 5 && (verified && topic == 'a')",
            ),
            ("topic == 'a' || topic == 'b'", "topic == 'b'"),
            ("topic == 'a' || topic == 'b'", "verified && topic == 'a'"),
            ("topic == 'a' && verified", "topic == 'a' && verified"),
            (
                "topic == 'a' && verified",
                "verified && tenant != '' && topic == 'a'",
            ),
            (
                "topic == 'a' || verified",
                "tenant != '' && (topic == 'a' || verified)",
            ),
            ("topic in ['a', 'b']", "topic in ['a', 'b'] && verified"),
            ("headers['x-test'] == 'true'", "headers['x-test'] == 'true'"),
            (
                "body.items.exists(i, i.id == 1)",
                "body.items.exists(i, i.id == 1)",
            ),
        ] {
            assert!(
                demands(earlier).covers(&demands(later)),
                "{earlier} | {later}"
            );
        }
        for (earlier, later) in [
            ("topic == 'a'", "topic == 'b'"),
            ("topic == 'a' && verified", "topic == 'a'"),
            ("topic == 'a'", "topic == 'a' || verified"),
            ("topic == 'a'", "!(topic == 'a')"),
            ("body.a == 1", "body.b == 1"),
            ("body.a == 'id: 1,'", "body.a == 'id: 2,'"),
        ] {
            assert!(
                !demands(earlier).covers(&demands(later)),
                "{earlier} | {later}"
            );
        }
    }
}
