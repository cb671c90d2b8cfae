//! Every entry of the catalogue against recorded deliveries (`tests/deliveries/NAME/CASE.toml`), of
//! which the good ones are published vectors or signed by other implementations than ours.

mod catalogue {
    mod deliveries;
    mod forms;
    mod labels;
    mod page;
    mod recorded;
    mod samples;
    mod tamper;
}
