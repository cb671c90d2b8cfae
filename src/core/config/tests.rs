//! Tests of [`Config::new`]: precedence, and every mistake named in one run.
