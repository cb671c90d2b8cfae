//! Routes to which no event ever comes, as far as that can be told without one.

use webhook_core::expression::implied::Requirements;

use crate::config::Mistake;
use crate::config::file::route::Route;

/// Warns of each route that an earlier one leaves no event.
pub(super) fn check(routes: &[Route], warnings: &mut Vec<Mistake>) {
    let demands: Vec<_> = (routes.iter())
        .map(|route| route.when.as_ref().map(Requirements::of))
        .collect();
    for (index, route) in routes.iter().enumerate() {
        let Some(own) = &demands[index] else { continue };
        let earlier = demands[..index].iter().enumerate();
        let takes_all = |(number, earlier): (usize, &Option<Requirements>)| {
            Some((number + 1, why(earlier.as_ref()?, own)?))
        };
        if let Some((number, why)) = earlier.filter_map(takes_all).next() {
            let text = format!(
                "never reached: route {number} stands before it, {why}; put the special one first"
            );
            warnings.push(Mistake::new(route.places.of("when"), text));
        }
    }
}

fn why(earlier: &Requirements, later: &Requirements) -> Option<&'static str> {
    if earlier.always_hold() {
        Some("whose condition always holds")
    } else if earlier.covers(later) {
        Some("whose condition holds whenever this one does")
    } else {
        None
    }
}
