//! JSON that is looked into and not built: each value is text until somebody asks for what is in it, and is read once
//! then. No number is read, and nothing recurses.

mod scan;

use std::cell::OnceCell;

/// A well-formed value.
pub(crate) struct Node<'a> {
    text: &'a str,
    children: OnceCell<Box<Children<'a>>>,
}

/// What an object or an array has.
enum Children<'a> {
    /// Names as they are written.
    Object(Vec<(&'a str, Node<'a>)>),
    Array(Vec<Node<'a>>),
}

impl<'a> Node<'a> {
    /// `None` if the text is not well-formed. What is in an object or an array is known then.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_matches(SPACE);
        let children = match text.as_bytes() {
            [b'{' | b'[', ..] => OnceCell::from(Box::new(Children::read(text)?)),
            _ => {
                well_formed(text)?;
                OnceCell::new()
            }
        };
        Some(Self { text, children })
    }

    /// As it was sent, without the white space around it.
    pub(crate) const fn text(&self) -> &'a str {
        self.text
    }

    /// What `key` names: a member, or an item by its index; more than one value if an object repeats it, since
    /// readers differ in which of them they take.
    pub(crate) fn named(&self, key: &str) -> Vec<&Self> {
        match self.children() {
            Some(Children::Object(members)) => {
                let members = members.iter().filter(|(name, _)| is_named(name, key));
                members.map(|(_, value)| value).collect()
            }
            Some(Children::Array(items)) => {
                let index = key.parse::<usize>().ok();
                let item = index.and_then(|index| items.get(index));
                item.into_iter().collect()
            }
            None => Vec::new(),
        }
    }

    fn children(&self) -> Option<&Children<'a>> {
        if !self.text.starts_with(['{', '[']) {
            return None;
        }
        let read = || Children::read(self.text).unwrap_or_else(|| Children::Array(Vec::new()));
        Some(self.children.get_or_init(|| Box::new(read())))
    }
}

impl<'a> From<&'a str> for Node<'a> {
    /// Of a value that is known to be well-formed.
    fn from(text: &'a str) -> Self {
        Self {
            text,
            children: OnceCell::new(),
        }
    }
}

impl<'a> Children<'a> {
    /// `None`: the text is no object and no array, or not well-formed.
    fn read(text: &'a str) -> Option<Self> {
        Some(match text.as_bytes().first()? {
            b'{' => {
                let members = entries(text, b'}', |at| {
                    let end = scan::string(text.as_bytes(), at)?;
                    Some((at..end, scan::colon(text.as_bytes(), end)?))
                });
                let members = members?.into_iter();
                Self::Object(
                    members
                        .map(|(name, value)| (&text[name], value.into()))
                        .collect(),
                )
            }
            b'[' => {
                let items = entries(text, b']', |at| Some(((), at)))?.into_iter();
                Self::Array(items.map(|((), item)| item.into()).collect())
            }
            _ => return None,
        })
    }
}

/// What stands between the first character and the one that closes it, the last: of each entry what `key`
/// finds before its value, and the value. `key` says where that begins, too.
fn entries<K>(
    text: &str,
    closing: u8,
    key: impl Fn(usize) -> Option<(K, usize)>,
) -> Option<Vec<(K, &str)>> {
    read(text);
    let bytes = text.as_bytes();
    let mut entries = Vec::new();
    let mut at = scan::space(bytes, 1);
    if bytes.get(at) != Some(&closing) {
        loop {
            let (key, begin) = key(at)?;
            let end = scan::value(bytes, begin)?;
            entries.push((key, &text[begin..end]));
            at = scan::space(bytes, end);
            if bytes.get(at) != Some(&b',') {
                break;
            }
            at = scan::space(bytes, at + 1);
        }
    }
    (bytes.get(at) == Some(&closing) && at + 1 == text.len()).then_some(entries)
}

/// The value that the text is, without the white space around it; `None` if it is not well-formed.
pub(crate) fn well_formed(text: &str) -> Option<&str> {
    read(text);
    let begin = scan::space(text.as_bytes(), 0);
    let end = scan::value(text.as_bytes(), begin)?;
    let is_all = scan::space(text.as_bytes(), end) == text.len();
    is_all.then(|| &text[begin..end])
}

/// The members of an object as they stand there: in their order, repeated ones too; a name that is no text as the JSON
/// that it is. `None` if the text is no object.
pub(crate) fn members(text: &str) -> Option<Vec<(String, &str)>> {
    match Children::read(text.trim_matches(SPACE))? {
        Children::Object(members) => Some(
            members
                .into_iter()
                .map(|(name, value)| (decoded(name), value.text))
                .collect(),
        ),
        Children::Array(_) => None,
    }
}

fn decoded(name: &str) -> String {
    // A name with half of a surrogate pair is none that anybody looks for.
    serde_json::from_str(name).unwrap_or_else(|_| name.to_owned())
}

fn is_named(name: &str, key: &str) -> bool {
    if name.contains('\\') {
        return decoded(name) == key;
    }
    name.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        == Some(key)
}

/// Counts what is read.
fn read(text: &str) {
    #[cfg(test)]
    BYTES_READ.with(|read| read.set(read.get() + text.len()));
    #[cfg(not(test))]
    let _ = text;
}

/// White space between the values of JSON.
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

#[cfg(test)]
thread_local! {
    /// How many bytes of JSON were read.
    pub(crate) static BYTES_READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is well-formed, and which text of it is the value, does not depend on whether somebody looks into it.
    #[test]
    fn a_value_is_well_formed_whether_or_not_it_is_looked_into() {
        let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
        for text in [
            "",
            " ",
            "{",
            "{}",
            "[]",
            " \t\r\n{ \"a\" : 1 } \n",
            "{}x",
            "{} {}",
            "[1,]",
            "[1,2",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "{1:1}",
            "{\"a\":1e999}",
            "{\"a\":01}",
            "[-]",
            "1",
            "-0",
            "1e999",
            "\"a\"",
            "\"\\ud800\"",
            "{\"\\ud800\":\"\\udc00\"}",
            "{\"\\u00\":1}",
            "{\"a\nb\":1}",
            "\"a\nb\"",
            "null",
            "nul",
            "truefalse",
            "{\"a\":{\"b\":[}}",
            "\u{a0}{}",
            "{}\u{a0}",
            "\u{feff}{}",
            "{\"a\":1,\"a\":2}",
            "\u{b}1",
            &deep,
        ] {
            let looked_into = Node::parse(text).map(|node| node.text().to_owned());
            let shown: String = text.chars().take(40).collect();
            assert_eq!(looked_into.as_deref(), well_formed(text), "{shown:?}");
        }
    }

    #[test]
    fn each_value_is_read_once_however_often_it_is_asked() {
        let text = r#"{"a":{"b":"c","d":[7,8]},"e":1}"#;
        let before = BYTES_READ.get();
        let node = Node::parse(text).expect("well-formed");
        for _ in 0..3 {
            let inner = node.named("a");
            assert_eq!(inner[0].named("d")[0].named("1")[0].text(), "8");
            assert_eq!(inner[0].named("b")[0].text(), r#""c""#);
            assert!(node.named("e")[0].named("x").is_empty());
        }
        let inner = r#"{"b":"c","d":[7,8]}"#.len() + "[7,8]".len();
        assert_eq!(BYTES_READ.get() - before, text.len() + inner);
    }
}
