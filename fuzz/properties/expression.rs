//! An expression or a template; the rest is a body. Whatever it is, it ends soon.

use std::time::{Duration, Instant};

use webhook_core::expression::Expression;
use webhook_core::expression::cost::Allowance;
use webhook_core::expression::scope::{Scope, UnreadBody};
use webhook_core::expression::template::Template;

use super::input::lines;

/// Whether there was anything to hold.
pub(crate) fn holds(data: &[u8]) -> bool {
    let ([text], body) = lines(data);
    let headers = [("x-a".to_owned(), "orders/create".to_owned())];
    let scope = |allowance| {
        let texts = [
            "shop",
            "evt-1",
            "orders/create",
            "a tenant",
            "shopify",
            "/temporal/shopify",
        ];
        let scope = Scope::new(UnreadBody::Json(body), texts, &headers, |scope| {
            scope.flag("verified", true);
        });
        scope.with_allowance(allowance)
    };
    let (begun, mut is_one) = (Instant::now(), false);
    if let Ok(expression) = Expression::compile(&text) {
        is_one = true;
        assert_eq!(expression.text(), text);
        let mut brief = scope(Allowance::Brief);
        let quick = expression.evaluate(&mut brief);
        let whole = expression.evaluate(&mut scope(Allowance::Full));
        if !brief.is_cut_short() {
            assert_eq!(quick.is_ok(), whole.is_ok(), "{quick:?} {whole:?}");
        }
        drop(expression.holds(&mut scope(Allowance::Full)));
    }
    if let Ok(template) = Template::try_from(text) {
        is_one = true;
        drop(template.name(&mut scope(Allowance::Full)));
        drop(template.key(&mut scope(Allowance::Full)));
        drop(template.text(&mut scope(Allowance::Full)));
        drop(template.value(&mut scope(Allowance::Full)));
        if let Ok(id) = template.id(&mut scope(Allowance::Full)) {
            assert!(!id.is_empty() || template.is_constant(), "half an id");
        }
        drop(template.shape("shop", "shopify", "/temporal/shopify"));
        template.shown("shop", "shopify", "/temporal/shopify");
    }
    let took = begun.elapsed();
    assert!(took < SOON, "{took:?}");
    is_one
}

/// Eight evaluations with the full allowance, with whatever a fuzzer or a debug build adds to them.
const SOON: Duration = Duration::from_secs(20);
