//! Expressions and templates over one event.

use bytes::Bytes;

use super::scope::Scope;
use super::template::Template;
use super::{Expression, Failure, mistake};
use crate::event::tests::sample;
use crate::event::{Data, Event};
use crate::variables;

fn event(body: &str) -> Event {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Event {
        id: "e1".into(),
        topic: Some("orders/create".into()),
        tenant: None,
        headers: vec![("x-shopify-test".into(), "true".into())],
        query: "a=1&b=two%20words".into(),
        data: Data::Json(body.clone()),
        body,
        ..sample()
    }
}

fn holds(condition: &str, event: &Event) -> Result<bool, String> {
    Expression::condition(condition)
        .expect(condition)
        .holds(&mut variables::scope(event, "eu"))
}

fn rendered(template: &str, event: &Event) -> Result<String, String> {
    Template::try_from(template.to_owned())
        .expect(template)
        .name(&mut variables::scope(event, "eu"))
}

#[test]
fn conditions_read_every_variable() {
    let order =
        event(r#"{"id":7,"total_price":"1200.50","tags":["a","b"],"big":18446744073709551615}"#);
    for condition in [
        r#"topic == "orders/create" && double(body.total_price) > 1000.0"#,
        r#"headers["x-shopify-test"] == "true""#,
        r#"event_id == "e1" && provider == "shopify" && source.startsWith("/")"#,
        r#"tenant == "" && name == "eu""#,
        r#"query.a == "1" && query.b == "two words""#,
        r#"received_at > timestamp("1969-01-01T00:00:00Z")"#,
        r#"received_at.getFullYear() >= 1970"#,
        r#"verified"#,
        r#""b" in body.tags && body.tags.exists(tag, tag == "a")"#,
        r#"body.tags.map(tag, tag.upperAscii()).join("-") == "A-B""#,
        r#"has(body.id) && !has(body.name)"#,
        r#"body.?customer.?id.orValue(0) == 0"#,
        r#"body.big == 18446744073709551615u"#,
        r#"math.greatest(body.id, 3) == 7"#,
        r#"topic.matches("^orders/(create|paid)$")"#,
        r#"type(body.id) == int"#,
        r#"body.id in [6, 7]"#,
    ] {
        assert_eq!(holds(condition, &order), Ok(true), "{condition}");
    }
}

#[test]
fn a_missing_key_makes_a_condition_false_and_a_wrong_type_fails() {
    let order = event(r#"{"total":null,"n":"x","list":[],"customer":null}"#);
    assert_eq!(holds(r#"headers["x-other"] == "1""#, &order), Ok(false));
    assert_eq!(holds(r#"body.missing == 1"#, &order), Ok(false));
    assert_eq!(holds(r#"body.list[0] == 1"#, &order), Ok(false));
    // What is no map has no keys.
    assert_eq!(holds("body.customer.email != 'a'", &order), Ok(false));
    assert_eq!(holds("has(body.customer.email)", &order), Ok(false));
    assert_eq!(holds("body.n.a == 1", &order), Ok(false));
    assert_eq!(holds("body.customer[0] == 1", &order), Ok(false));
    assert_eq!(holds("body.a == 1", &event("[1]")), Ok(false));
    assert_eq!(
        holds(r#"body.missing == 1 || topic != """#, &order),
        Ok(true)
    );
    for (condition, part) in [
        ("body.total > 5", "> does not take null and a whole number"),
        ("body.n > 5", "> does not take a text and a whole number"),
        (
            "body.total.contains('a')",
            "contains does not take null and a text",
        ),
        (
            "body.total.exists(x, x == 1)",
            "expected a list or a map, found null",
        ),
        ("'a' in body.n", "in does not take a text and a text"),
        ("int(body.n) > 5", "int()"),
        ("body.n", "gives a text, expected true or false"),
    ] {
        let problem = holds(condition, &order).expect_err(condition);
        assert!(problem.contains(part), "{condition}: {problem}");
    }
}

#[test]
fn no_failure_quotes_the_event() {
    let order = event(r#"{"secret":"hunter2","n":"hunter2","m":{"a":1}}"#);
    for condition in [
        "int(body.n) > 5",
        "body.n > 5",
        "body.m[body.secret] == 1",
        "body.secret + 1 == 2",
        "timestamp(body.secret) > received_at",
        "duration(body.secret) > duration('1s')",
        "body.secret.matches(body.secret + '(')",
        "body.m + body.m == 2",
        "[1][body.secret] == 1",
        "body.secret.charAt(99) == 'a'",
        "body.n % 2 == 0",
        "-body.n == 2",
    ] {
        let expression = Expression::compile(condition).expect(condition);
        let failure = expression
            .evaluate(&mut variables::scope(&order, "eu"))
            .expect_err(condition);
        let (Failure::Missing(text) | Failure::Wrong(text)) = failure;
        assert!(!text.contains("hunter2"), "{condition}: {text}");
    }
}

#[test]
fn mistakes_are_found_without_an_event() {
    for (condition, part) in [
        ("topic ==", "column"),
        ("topics == 'a'", "unknown variable \"topics\""),
        ("topic.startWith('a')", "unknown function \"startWith\""),
        ("topic.startswith('a')", "expected \"startsWith\""),
        ("topic == null", "a text is never equal to null"),
        ("sice(topic) > 1", "unknown function \"sice\""),
        ("topic > 5", "> does not take a text and a whole number"),
        ("topic == 5", "a text is never equal to a whole number"),
        (
            "headers['a'] == 1",
            "a text is never equal to a whole number",
        ),
        ("topic", "gives a text, expected true or false"),
        ("size(topic)", "gives a whole number"),
        ("topic.name == 'a'", "a text has no field \"name\""),
        ("topic && verified", "&& of a text"),
        (
            "topic.contains(1)",
            "contains does not take a text and a whole number",
        ),
        ("topic.exists(x, x == 'a')", "a text has no elements"),
        ("body.list.exists(x, y == 1)", "unknown variable \"y\""),
        ("headers.exists(name, name == 1)", "never equal"),
        ("math.best(1)", "unknown function \"math.best\""),
        ("verified > 1.5", "does not take"),
        ("received_at == 'now'", "a time is never equal to a text"),
        ("Order{id: 1}.id == 1", "unknown type"),
    ] {
        let problem = Expression::condition(condition).expect_err(condition);
        assert!(problem.contains(part), "{condition}: {problem}");
    }
}

#[test]
fn every_known_function_is_the_library_s_and_documented() {
    for name in mistake::FUNCTIONS {
        let calls = [
            format!("{name}()"),
            format!("{name}(1)"),
            format!("dyn(1).{name}()"),
        ];
        let is_there = calls.iter().any(|call| match Expression::compile(call) {
            Ok(_) => true,
            Err(problem) => !problem.contains(" method, expected"),
        });
        assert!(is_there, "{name}");
    }
    let page = include_str!("../../../../docs/routes.md");
    for name in mistake::FUNCTIONS.iter().chain(&mistake::LOOPS) {
        let is_there = page.contains(&format!("`{name}`")) || *name == "existsOne";
        assert!(is_there, "{name} is not in docs/routes.md");
    }
    for name in mistake::LOOPS {
        let call = format!("body.{name}(item, item == 1)");
        assert_eq!(Expression::compile(&call).err(), None, "{name}");
    }
}

#[test]
fn the_headers_that_an_expression_names_are_known() {
    let named = |text: &str| {
        let expression = Expression::compile(text).expect(text);
        expression.headers().map(str::to_owned).collect::<Vec<_>>()
    };
    let all =
        "headers['b'] == headers.a || 'c' in headers || headers[?'d'].hasValue() || has(headers.e)";
    assert_eq!(named(all), ["a", "b", "c", "d", "e"]);
    assert_eq!(named("body.exists(headers, headers.x == 1)"), [""; 0]);
    assert_eq!(named("headers[topic] == '1'"), [""; 0]);
}

#[test]
fn the_body_is_read_only_if_it_is_named() {
    let expression = |text: &str| Expression::compile(text).expect(text);
    assert!(expression("body.id == 1").reads("body"));
    assert!(expression("headers.exists(k, k == body.id)").reads("body"));
    assert!(!expression("topic == 'body'").reads("body"));
    assert!(!expression("[1].exists(body, body == 1)").reads("body"));
    // A body that no expression can look into stops nobody who does not look.
    let deep = event(&format!("{}{}", "[".repeat(500), "]".repeat(500)));
    assert_eq!(holds("topic == 'orders/create'", &deep), Ok(true));
    let problem = holds("body[0] == 1", &deep).expect_err("too deep");
    assert!(problem.contains("too deeply"), "{problem}");
}

#[test]
fn evaluation_is_bounded() {
    let long = event(&format!("[{}0]", "0,".repeat(5000)));
    assert_eq!(holds("body.all(x, x == 0)", &long), Ok(true));
    // Each of the two loops alone is within the limit.
    let twice = "body.all(x, x == 0) && body.all(x, x == 0)";
    let problem = holds(twice, &long).expect_err("too many steps");
    assert!(problem.contains("steps"), "{problem}");
    let nested = "body.all(x, body.all(y, x == y))";
    assert!(holds(nested, &long).is_err());
    let many = event(&format!("[{}0]", "0,".repeat(600_000)));
    let problem = holds("size(body) > 1", &many).expect_err("too many values");
    assert!(problem.contains("values"), "{problem}");
    assert!(Expression::compile(&"!".repeat(5000)).is_err());
    for row in [
        ["1"; 2000].join("+"),
        ["a"; 2000].join("."),
        "a".to_owned() + &"[0]".repeat(1300),
    ] {
        let problem = Expression::compile(&row).expect_err("too long a row");
        assert!(problem.contains("more than 800 operators"), "{problem}");
    }
    for row in [["1"; 700].join("+"), ["topic"; 150].join("+")] {
        let problem = Expression::compile(&row).expect_err("too long a row");
        assert!(problem.contains("in a row"), "{problem}");
    }
    assert!(Expression::compile(&["topic"; 100].join("+")).is_ok());
    assert!(Expression::compile(&["body.?a.hasValue()"; 40].join(" || ")).is_ok());
    assert!(Expression::compile(&"(".repeat(1000)).is_err());
}

#[test]
fn what_calls_read_and_copy_is_bounded() {
    let list: Vec<_> = (0..3000).collect();
    let rows = vec![vec![0; 100]; 20];
    let body = serde_json::json!({"l": list, "s": "a".repeat(100_000), "rows": rows, "d": (0..12_000).collect::<Vec<_>>()});
    let large = event(&body.to_string());
    for condition in [
        "body.l.map(x, body.s + string(x)).size() > 1",
        "body.l.map(x, body.rows).size() > 1",
        "body.l.exists(x, [body.rows] == [])",
        "body.l.exists(x, string(x) in body.d)",
        "body.l.exists(x, !body.?d.hasValue() && x < 0)",
        "body.l.exists(x, topic.matches('^[0-9]+$'))",
        "body.d.distinct().size() > 1",
        "body.s.replace('a', body.s).size() > 1",
        "body.s.indexOf(body.s + 'b') > 1",
        "body.s.split('').join(body.s).size() > 1",
        "body.l.map(x, lists.range(10000)).size() > 1",
    ] {
        let problem = holds(condition, &large).expect_err(condition);
        assert!(problem.contains("100 MB"), "{condition}: {problem}");
    }
    // An operator that goes on after an error does not hide it.
    let absorbed = "body.l.exists(x, body.d.distinct() == [] && false) || topic != ''";
    assert!(holds(absorbed, &large).is_err());
}

#[test]
fn what_large_orders_need_is_within_the_bounds() {
    let items: Vec<_> = (0..1000)
        .map(|n| serde_json::json!({"sku": format!("S-{n}"), "price": "12.50", "tags": ["a", "b"], "title": "x".repeat(500)}))
        .collect();
    let body = serde_json::json!({"items": items, "note": "n".repeat(500_000)});
    let order = event(&body.to_string());
    for condition in [
        "body.items.exists(i, i.sku in ['S-998', 'S-999'])",
        "body.items.map(i, double(i.price)).filter(p, p > 1.0).size() == 1000",
        "body.items.exists(i, i.title.contains('y') || i.?gone.orValue('') == 'x') == false",
        "body.items.map(i, i.sku).distinct().size() == 1000",
        "body.items.map(i, i.sku).join(', ').startsWith('S-0, S-1')",
        "body.note.replace('n', '').size() == 0",
        "body.note.contains('x') == false && body.note.matches('x$') == false",
        "body.items.filter(i, i.sku.matches('^S-[0-9]$')).size() == 10",
    ] {
        assert_eq!(holds(condition, &order), Ok(true), "{condition}");
    }
}

#[test]
fn a_body_that_is_json_but_hard_to_read() {
    let halves =
        event(r#"{"a":"x\ud83d","b":"\ude00y","c":"\ud83d\ude00","d":"\\ud83d","e":"\ud83dé"}"#);
    for condition in [
        r#"body.a == "x\ufffd" && body.b == "\ufffdy""#,
        r#"body.c == "😀" && body.d == "\\ud83d" && body.e == "\ufffdé""#,
    ] {
        assert_eq!(holds(condition, &halves), Ok(true), "{condition}");
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (body, part) in [(deep.as_str(), "nested"), ("[1e400]", "number")] {
        let problem = holds("size(body) > 1", &event(body)).expect_err(body);
        assert!(problem.contains(part), "{problem}");
    }
}

#[test]
fn holes_are_filled() {
    let order = event(
        r#"{"id":820982911946154508,"note":null,"price":12.5,"big":12345678901234567890123}"#,
    );
    for (template, expected) in [
        ("{event_id}", "e1"),
        ("{name}:{event_id}", "eu:e1"),
        ("{provider}:{event_id}", "shopify:e1"),
        ("q:{topic}!", "q:orders/create!"),
        ("plain", "plain"),
        ("order:{body.id}", "order:820982911946154508"),
        ("{body.price}", "12.5"),
        ("{topic.split('/')[0]}", "orders"),
        (r#"{"{"}{ {"a": "}"}.a }"#, "{}"),
        ("{body.note == null ? 'none' : body.note}", "none"),
    ] {
        assert_eq!(
            rendered(template, &order).as_deref(),
            Ok(expected),
            "{template}"
        );
    }
    for (template, part) in [
        ("q:{tenant}", "{tenant}: is empty"),
        ("{body.note}", "is empty"),
        ("{body.missing}", "no such key: missing"),
        ("{body.big}", "lost digits"),
        ("{body}", "gives a map"),
    ] {
        let problem = rendered(template, &order).expect_err(template);
        assert!(problem.contains(part), "{template}: {problem}");
    }
}

#[test]
fn a_single_hole_keeps_its_type() {
    let order = event(r#"{"id":7,"tags":["a"],"note":null}"#);
    for (template, expected) in [
        ("{body.id}", serde_json::json!(7)),
        ("{double(body.id)}", serde_json::json!(7.0)),
        ("id {body.id}", serde_json::json!("id 7")),
        ("{body.tags}", serde_json::json!(["a"])),
        ("{body.note}", serde_json::json!(null)),
        ("{verified}", serde_json::json!(true)),
    ] {
        let template = Template::try_from(template.to_owned()).expect(template);
        assert_eq!(
            template.value(&mut variables::scope(&order, "eu")),
            Ok(expected)
        );
    }
}

#[test]
fn mistakes_in_templates_name_the_hole() {
    for (text, part) in [
        ("{", "without its"),
        ("{id}", "unknown variable \"id\""),
        ("", "empty"),
        ("a {topic} {nonsense()}", "{nonsense()}: unknown function"),
    ] {
        let error = Template::try_from(text.to_owned()).expect_err("a mistake");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_queue_per_topic_is_for_events_that_have_one() {
    let queue = Template::try_from("queue".to_owned())
        .expect("a template")
        .per_topic();
    let with = event("{}");
    let without = Event {
        topic: None,
        ..event("{}")
    };
    assert_eq!(
        queue.name(&mut variables::scope(&with, "eu")).as_deref(),
        Ok("queue:orders/create")
    );
    assert_eq!(
        queue.name(&mut variables::scope(&without, "eu")).as_deref(),
        Ok("queue")
    );
}

#[test]
fn what_holes_bring_into_names_is_printable_ascii() {
    let event = Event {
        id: "github:1:ü".into(),
        topic: Some("Störung/50 % \u{7f}\n".into()),
        ..event("{}")
    };
    let topic = "St%C3%B6rung/50 % %7F%0A";
    for (template, name, id) in [
        ("{topic}", topic, topic),
        ("Ü:{topic}", &format!("Ü:{topic}"), &format!("Ü:{topic}")),
        ("{event_id}", "github:1:%C3%BC", "github%3A1%3A%C3%BC"),
        (
            "{'a:' + 'b'}:{event_id}",
            "a:b:github:1:%C3%BC",
            "a%3Ab:github:1:%C3%BC",
        ),
        (
            "{name}:{event_id}",
            "eu:github:1:%C3%BC",
            "eu:github:1:%C3%BC",
        ),
    ] {
        let template = Template::try_from(template.to_owned()).expect(template);
        let scope = &mut variables::scope(&event, "eu");
        assert_eq!(template.name(scope).as_deref(), Ok(name));
        assert_eq!(template.id(scope).as_deref(), Ok(id));
        assert_eq!(template.key(scope).as_deref(), Ok(name));
    }
    let text = Template::try_from("{topic}".to_owned()).expect("a template");
    let scope = &mut variables::scope(&event, "eu");
    assert_eq!(text.text(scope), Ok("Störung/50 % \u{7f}\n".to_owned()));
    assert_eq!(text.value(scope), Ok("Störung/50 % \u{7f}\n".into()));
}

#[test]
fn no_two_labels_give_one_name() {
    let pieces = [
        "a", ":", "%", "3", "3A", "3a", "25", "C3", "\u{f6}", "%3A", "\n",
    ];
    let mut labels = vec![String::new()];
    for _ in 0..4 {
        let longer = labels
            .iter()
            .flat_map(|label| pieces.iter().map(move |piece| format!("{label}{piece}")));
        let all: std::collections::BTreeSet<String> =
            labels.iter().cloned().chain(longer).collect();
        labels = all.into_iter().collect();
    }
    let labels: Vec<_> = labels
        .into_iter()
        .filter(|label| !label.is_empty())
        .collect();
    for template in ["{topic}", "a:{topic}", "{topic}3A"] {
        for kind in [
            Template::name as fn(&Template, &mut Scope<'_>) -> Result<String, String>,
            Template::id,
        ] {
            let template = Template::try_from(template.to_owned()).expect(template);
            let mut names = std::collections::HashMap::new();
            for label in &labels {
                let event = Event {
                    topic: Some(label.clone()),
                    ..event("{}")
                };
                let name = kind(&template, &mut variables::scope(&event, "eu")).expect("a name");
                let before = names.insert(name, label);
                assert_eq!(before, None, "{label:?}");
            }
        }
    }
}

#[test]
fn an_id_that_somebody_handed_out_stays_as_it_is() {
    let event = Event {
        topic: Some("gid%3A//a:b%41%".into()),
        ..event("{}")
    };
    for (template, id, given) in [
        ("{topic}", "gid%253A//a%3Ab%2541%", "gid%3A//a:b%41%"),
        (
            "o:{topic}",
            "o:gid%253A//a:b%2541%",
            "o:gid%253A//a:b%2541%",
        ),
    ] {
        let template = Template::try_from(template.to_owned()).expect(template);
        let scope = &mut variables::scope(&event, "eu");
        assert_eq!(template.id(scope).as_deref(), Ok(id));
        assert_eq!(template.verbatim_id(scope).as_deref(), Ok(given));
    }
}

#[test]
fn what_is_too_long_is_shortened_and_stays_different() {
    let name = |template: &str, topic: &str, kind: fn(&Template, &mut Scope<'_>) -> _| {
        let event = Event {
            topic: Some(topic.to_owned()),
            ..event("{}")
        };
        let template = Template::try_from(template.to_owned()).expect(template);
        let made: Result<String, String> = kind(&template, &mut variables::scope(&event, "eu"));
        made.expect("it fits")
    };
    for (kind, max) in [
        (Template::name as fn(&Template, &mut Scope<'_>) -> _, 1000),
        (Template::id, 1000),
        (Template::key, 64),
    ] {
        let fits = "x".repeat(max - 2);
        assert_eq!(name("a:{topic}", &fits, kind), format!("a:{fits}"));
        let [one, again, other] =
            ["1", "1", "2"].map(|end| name("a:{topic}", &format!("{fits}{end}"), kind));
        assert_eq!((one.len(), &one), (max, &again));
        assert_ne!(one, other);
        let (beginning, hash) = one.rsplit_once('~').expect("it was shortened");
        assert!(
            format!("a:{fits}").starts_with(beginning) && hash.len() == 32,
            "{one}"
        );
        // Each ü is six bytes when it is encoded.
        let ascii = name("{topic}", &"ü".repeat(max), kind);
        assert!(ascii.len() == max && ascii.is_ascii(), "{ascii}");
        // Between the bytes of a letter of the operator's nothing is cut.
        let long = format!("a{}{{topic}}", "ü".repeat(max));
        assert!((max - 1..=max).contains(&name(&long, "1", kind).len()));
    }
}
