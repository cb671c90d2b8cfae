//! Pages that memos decide: bounded, honest about it, and without what is not ours.

use webhook_core::codec::Compression;
use webhook_core::codec::key::Key;
use webhook_core::payload;
use webhook_core::proto::Payload;

use super::fake::{NOW, Store, info};
use super::*;
use crate::temporal::visibility::Info;

#[tokio::test]
async fn a_page_ends_where_enough_was_read_and_the_next_goes_on_there() {
    // One a minute; two of them are what is looked for.
    let workflows = (0..12_000).map(|number| {
        let is_rare = number == 7000 || number == 11_999;
        let topic = if is_rare { "rare" } else { "common" };
        event(number, number * 60, topic)
    });
    let store = Store::of(workflows.collect(), 0);
    let codec = Codec::new(Vec::new());
    let events = events(&store, &codec);
    let mut filter = filter(&[("topic", "rare")]);
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = events.page(&filter, now()).await.expect("a page");
        pages += 1;
        assert!(page.looked.looked_at <= BUDGET + 1000, "{:?}", page.looked);
        assert_eq!((page.looked.by, page.looked.of), (By::Memo, 12_000));
        assert_eq!(page.looked.complete, page.next.is_none());
        assert_eq!(page.total, None, "not all was read");
        found.extend(page.items.into_iter().map(|item| item.workflow_id));
        match page.next {
            Some(next) => filter.cursor = Cursor::decode(&next),
            None => break,
        }
    }
    assert_eq!(found, ["w7000", "w11999"]);
    assert!(pages <= 4, "{pages} pages");
}

#[tokio::test]
async fn what_is_not_ours_is_left_out_and_what_no_key_opens_is_said() {
    let sealed = |name: &str| {
        let key = Key::from_hex("gone", &"7".repeat(64)).expect("a key");
        let plain = payload::text(name);
        Codec::new(vec![key]).encode(plain, Compression::None, || [1; 12])
    };
    let foreign = info(0, NOW);
    let mut closed = info(1, NOW - Duration::from_secs(1));
    closed.memo = memo(["source", "event_id"].map(|name| (name, sealed(name))));
    let store = Store::of(vec![foreign, closed, event(2, 2, "a")], 0);
    let codec = Codec::new(Vec::new());
    let page = events(&store, &codec).page(&filter(&[]), now()).await;
    let page = page.expect("a page");
    let [sealed, open] = &page.items[..] else {
        panic!("{page:?}");
    };
    let why = sealed.unreadable.as_deref().unwrap_or_default();
    assert!(
        sealed.source.is_none() && why.contains("gone"),
        "{sealed:?}"
    );
    assert_eq!(
        (open.source.as_deref(), &open.unreadable),
        (Some("/a"), &None)
    );
    assert_eq!((page.total, page.looked.complete), (Some(2), true));
}

#[tokio::test]
async fn an_hour_ago_stays_where_it_was_on_the_next_page() {
    let workflows = (0..100).map(|number| event(number, number * 60, "a"));
    let store = Store::of(workflows.collect(), 0);
    let codec = Codec::new(Vec::new());
    let events = events(&store, &codec);
    let mut filter = filter(&[("since", "1h"), ("limit", "50")]);
    let first = events.page(&filter, now()).await.expect("a page");
    filter.cursor = first.next.as_deref().and_then(Cursor::decode);
    // It is asked for half an hour later.
    filter.since = Some(now() - Duration::from_secs(1800));
    let later = now() + Duration::from_secs(1800);
    let second = events.page(&filter, later).await.expect("a page");
    assert_eq!((first.items.len(), second.items.len()), (50, 11));
    assert_eq!(second.next, None);
}

fn events<'a>(store: &'a Store, codec: &'a Codec) -> Events<'a, Store> {
    Events {
        store,
        scope: Scope::default(),
        codec,
        place: Place::default(),
    }
}

fn filter(parameters: &[(&str, &str)]) -> Filter {
    let filter = Filter::default().with(parameters.iter().copied(), now());
    filter.expect("they are good")
}

fn event(number: usize, ago: usize, topic: &str) -> Info {
    let mut info = info(number, NOW - Duration::from_secs(ago as u64));
    let fields = [("source", "/a"), ("event_id", "e"), ("topic", topic)];
    info.memo = memo(fields.map(|(name, value)| (name, payload::text(value))));
    info
}

fn memo<const N: usize>(fields: [(&str, Payload); N]) -> crate::temporal::payload::Fields {
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + NOW
}
