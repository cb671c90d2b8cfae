//! Routes to which no event ever comes, as far as that can be told without one.

use webhook_core::expression::Expression;

use crate::config::Mistake;
use crate::config::file::route::Route;

/// Warns of each route that an earlier one leaves no event.
pub(super) fn check(routes: &[Route], warnings: &mut Vec<Mistake>) {
    for (index, route) in routes.iter().enumerate() {
        let Some(when) = &route.when else { continue };
        let earlier = routes[..index].iter().enumerate();
        let takes_all = |(number, earlier): (usize, &Route)| {
            Some((number + 1, why(earlier.when.as_ref()?, when)?))
        };
        if let Some((number, why)) = earlier.filter_map(takes_all).next() {
            let text = format!(
                "never reached: route {number} stands before it, {why}; put the special one first"
            );
            warnings.push(Mistake::new(route.places.of("when"), text));
        }
    }
}

fn why(earlier: &Expression, later: &Expression) -> Option<&'static str> {
    if earlier.always_holds() {
        Some("whose condition always holds")
    } else if earlier.takes_all_of(later) {
        Some("whose condition holds whenever this one does")
    } else {
        None
    }
}
