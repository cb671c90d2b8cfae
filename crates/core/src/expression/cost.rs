//! What an expression may cost: its loops are counted, and what its calls read or copy is weighed.

use std::cell::Cell;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, operators};
use cel::common::types::{CelBytes, CelList, CelMap, CelOptional, CelString, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use super::check::LIBRARIES;

/// What the expressions of an event may still cost together.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Elements of loops.
    steps: u32,
    /// Bytes that calls read or copy.
    bytes: u64,
    /// The longest text so far with which a call may multiply another.
    factor: u64,
    /// What did not suffice: for good, as `||` and `&&` may go on after an error.
    over: Option<&'static str>,
}

/// How much the expressions of an event are allowed to cost together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// All that they ever may: what is over it is a failure.
    Full,
    /// What a thread may spend that serves others, too: what is over it says nothing of the event, and is
    /// evaluated anew with the full allowance, elsewhere.
    Brief,
}

impl Allowance {
    /// None of it is spent.
    pub(super) const fn budget(self) -> Budget {
        let (steps, bytes) = match self {
            Self::Full => (MAX_STEPS, MAX_BYTES),
            Self::Brief => (BRIEF_STEPS, BRIEF_BYTES),
        };
        Budget {
            steps,
            bytes,
            factor: 1,
            over: None,
        }
    }
}

/// Evaluates within the budget, and leaves what is left of it.
///
/// # Errors
/// What did not suffice.
pub fn within<T>(budget: &mut Budget, evaluate: impl FnOnce() -> T) -> Result<T, &'static str> {
    LEFT.set(Budget {
        factor: 1,
        ..*budget
    });
    let value = evaluate();
    *budget = LEFT.get();
    budget.over.map_or(Ok(value), Err)
}

/// Puts the functions into an expression that charge for its parts.
pub fn meter(expression: &mut IdedExpr) {
    match &mut expression.expr {
        Expr::Call(call) => meter_call(call),
        Expr::Comprehension(comprehension) => {
            meter(&mut comprehension.iter_range);
            meter(&mut comprehension.accu_init);
            meter(&mut comprehension.loop_cond);
            meter(&mut comprehension.loop_step);
            meter(&mut comprehension.result);
            charge(&mut comprehension.iter_range, STEPS);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(meter_part),
        Expr::Map(map) => map.entries.iter_mut().for_each(meter_entry),
        Expr::Struct(object) => object.entries.iter_mut().for_each(meter_entry),
        Expr::Select(select) => meter(&mut select.operand),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => return,
    }
    let Expr::Call(call) = &mut expression.expr else {
        return;
    };
    // A text may be cut into as many as it has characters.
    if call.func_name == "split" {
        charge(expression, BYTES);
    } else if [operators::OPT_SELECT, operators::OPT_INDEX].contains(&call.func_name.as_str()) {
        // It copies what it finds.
        call.args
            .iter_mut()
            .take(1)
            .for_each(|of| charge(of, GUARD));
        charge(expression, BYTES);
    }
}

fn meter_call(call: &mut CallExpr) {
    call.target.iter_mut().for_each(|target| meter(target));
    call.args.iter_mut().for_each(meter);
    let name = call.func_name.as_str();
    if FREE.contains(&name) {
        return;
    }
    if name == "matches" {
        let is_ours = matches!(
            call.args.last().map(|last| &last.expr),
            Some(Expr::Literal(_))
        );
        let text = call.target.as_deref_mut().or_else(|| call.args.first_mut());
        let pattern = if is_ours { PATTERN } else { ANY_PATTERN };
        return text.into_iter().for_each(|text| charge(text, pattern));
    }
    let factor = match name {
        "replace" => call.args.get_mut(1),
        "indexOf" | "lastIndexOf" | "join" => call.args.get_mut(0),
        _ => None,
    };
    let multiplies = factor.is_some();
    factor.into_iter().for_each(|arg| charge(arg, FACTOR));
    call.args.iter_mut().for_each(charge_part);
    if let Some(target) = &mut call.target {
        match name {
            "distinct" => charge(target, SQUARE),
            _ if multiplies => charge(target, PRODUCT),
            _ => charge_part(target),
        }
    }
}

fn meter_part(part: &mut IdedExpr) {
    meter(part);
    charge_part(part);
}

fn meter_entry(entry: &mut IdedEntryExpr) {
    match &mut entry.expr {
        EntryExpr::StructField(field) => meter_part(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            meter_part(&mut entry.key);
            meter_part(&mut entry.value);
        }
    }
}

/// Not what is short, or was charged for when it was made; and `math` in `math.ceil(…)` is no value.
fn charge_part(part: &mut IdedExpr) {
    let is_value = match &part.expr {
        Expr::Ident(name) => !name.starts_with('@') && !LIBRARIES.contains(&name.as_str()),
        Expr::Call(call) => !call.func_name.starts_with('@'),
        Expr::Select(_) => true,
        _ => false,
    };
    if is_value {
        charge(part, BYTES);
    }
}

fn charge(part: &mut IdedExpr, function: &str) {
    let inner = std::mem::take(part);
    *part = IdedExpr {
        id: inner.id,
        expr: Expr::Call(CallExpr {
            func_name: function.to_owned(),
            target: None,
            args: vec![inner],
        }),
    };
}

/// Declares the functions that charge: each gives its argument.
///
/// # Errors
/// One is declared twice.
pub fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    let any = || vec![DYN_TYPE];
    env.add_overload(STEPS, STEPS, any(), |args| {
        spend(args, |value, left| {
            let length = u32::try_from(length(value)).unwrap_or(u32::MAX);
            left.steps = left.steps.checked_sub(length).ok_or(TOO_LONG)?;
            left.weigh(value)
        })
    })?;
    env.add_overload(BYTES, BYTES, any(), |args| {
        spend(args, |value, left| left.weigh(value))
    })?;
    env.add_overload(GUARD, GUARD, any(), |args| {
        spend(args, |_, left| left.take(1))
    })?;
    env.add_overload(FACTOR, FACTOR, any(), |args| {
        spend(args, |value, left| {
            let length = value
                .downcast_ref::<CelString<'_>>()
                .map_or(0, |text| text.inner().len() as u64);
            left.factor = left.factor.max(length);
            Ok(())
        })
    })?;
    env.add_overload(PRODUCT, PRODUCT, any(), |args| {
        spend(args, |value, left| {
            let before = left.bytes;
            left.weigh(value)?;
            left.take((before - left.bytes).saturating_mul(left.factor - 1))
        })
    })?;
    env.add_overload(SQUARE, SQUARE, any(), |args| {
        spend(args, |value, left| {
            left.take(length(value).saturating_pow(2))?;
            left.weigh(value)
        })
    })?;
    env.add_overload(PATTERN, PATTERN, any(), |args| {
        spend(args, |value, left| {
            left.take(PATTERN_BYTES)?;
            left.weigh(value)
        })
    })?;
    env.add_overload(ANY_PATTERN, ANY_PATTERN, any(), |args| {
        spend(args, |value, left| {
            left.take(200 * PATTERN_BYTES)?;
            left.weigh(value)
        })
    })
}

fn spend<'b, 'v>(
    mut args: Vec<CowVal<'b, 'v>>,
    pay: impl FnOnce(&(dyn Val + 'v), &mut Budget) -> Result<(), &'static str>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut left = LEFT.get();
    if left.over.is_none() {
        left.over = pay(args[0].as_ref(), &mut left).err();
        LEFT.set(left);
    }
    match left.over {
        Some(problem) => Err(ExecutionError::function_error(STEPS, problem)),
        None => Ok(args.remove(0)),
    }
}

fn length(value: &dyn Val) -> u64 {
    let length = value.as_sizer().map_or(1, |list| *list.size().inner());
    u64::try_from(length).unwrap_or_default()
}

impl Budget {
    /// Whether it did not suffice.
    pub(super) const fn is_over(&self) -> bool {
        self.over.is_some()
    }

    fn take(&mut self, bytes: u64) -> Result<(), &'static str> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(TOO_MUCH)?;
        Ok(())
    }

    /// Takes about the memory of a copy.
    fn weigh(&mut self, value: &dyn Val) -> Result<(), &'static str> {
        self.take(VALUE)?;
        if let Some(text) = value.downcast_ref::<CelString<'_>>() {
            self.take(text.inner().len() as u64)
        } else if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
            self.take(bytes.inner().len() as u64)
        } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
            let mut items = list.inner().iter();
            items.try_for_each(|item| self.weigh(item.as_ref()))
        } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
            map.inner().iter().try_for_each(|(key, value)| {
                self.weigh(key.inner())?;
                self.weigh(value.as_ref())
            })
        } else if let Some(optional) = value.downcast_ref::<CelOptional<'_>>() {
            optional.inner().map_or(Ok(()), |value| self.weigh(value))
        } else {
            Ok(())
        }
    }
}

thread_local! {
    /// What is left for the event whose expression this thread evaluates: the library's functions
    /// are plain ones, without a place for anything of ours.
    static LEFT: Cell<Budget> = const { Cell::new(Allowance::Full.budget()) };
}

// Not to be written by people: no identifier begins so.
const STEPS: &str = "@steps";
const BYTES: &str = "@bytes";
const GUARD: &str = "@guard";
const FACTOR: &str = "@factor";
const PRODUCT: &str = "@product";
const SQUARE: &str = "@square";
const PATTERN: &str = "@pattern";
const ANY_PATTERN: &str = "@any_pattern";

const TOO_LONG: &str = "more than 10,000 steps over lists";
const TOO_MUCH: &str = "more than 100 MB to go through";
/// Elements that all loops of an event's expressions may go through together.
const MAX_STEPS: u32 = 10_000;
/// Bytes that all calls of an event's expressions may read or copy together.
const MAX_BYTES: u64 = 100_000_000;
/// Of these, what is gone through in a few milliseconds.
const BRIEF_STEPS: u32 = 500;
const BRIEF_BYTES: u64 = 1_000_000;
/// Bytes of a value besides its text.
const VALUE: u64 = 64;

/// What it costs to compile a pattern of the configuration's, each time; one of the event's may be
/// of the worst.
const PATTERN_BYTES: u64 = 50_000;

/// They look at no more than the head of their arguments.
const FREE: [&str; 15] = [
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::NOT_STRICTLY_FALSE,
    operators::CONDITIONAL,
    operators::INDEX,
    operators::OPT_INDEX,
    operators::OPT_SELECT,
    operators::NEGATE,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    "size",
    "type",
];
