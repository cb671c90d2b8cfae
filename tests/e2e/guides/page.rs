//! A page of docs/ as what there is to do in it.

/// Its blocks, in order.
#[derive(Debug)]
pub(super) struct Page(pub(super) Vec<(usize, Block)>);

/// What to do with a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// To be written under this name.
    File { name: String, text: String },
    /// To be run to its end.
    Run {
        text: String,
        fails: bool,
        soon: bool,
    },
    /// To be started, and left running.
    Serve(String),
    /// What the command before printed has these lines in it; `…` is anything.
    Prints(String),
}

impl Page {
    /// Every command and every configuration has to be one of these, or to say why it is not run.
    pub(super) fn parse(path: &str, text: &str) -> Self {
        let mut blocks = Vec::new();
        let mut before = "";
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let Some(language) = line.trim_start().strip_prefix("```") else {
                if !line.trim().is_empty() {
                    before = line.trim();
                }
                continue;
            };
            let indent = line.len() - line.trim_start().len();
            let inside = lines.by_ref().map(|(_, line)| line);
            let inside = inside.take_while(|line| !line.trim_start().starts_with("```"));
            let inside = inside.map(|line| line.get(indent..).unwrap_or_default());
            let inside = inside.collect::<Vec<_>>().join("\n") + "\n";
            let place = format!("{path}:{}", number + 1);
            let block = block(&place, language, before, inside);
            blocks.extend(block.map(|block| (number + 1, block)));
            before = "";
        }
        Self(blocks)
    }
}

fn block(place: &str, language: &str, before: &str, text: String) -> Option<Block> {
    let mark = before
        .strip_prefix("<!-- ")
        .and_then(|it| it.strip_suffix(" -->"));
    let command = |fails, soon| Block::Run {
        text: text.clone(),
        fails,
        soon,
    };
    let is_left_out = before.starts_with("*Not run by our tests");
    match (language, mark) {
        ("sh" | "toml", None) if is_left_out => None,
        ("sh", None) => Some(command(false, false)),
        ("sh", Some("fails")) => Some(command(true, false)),
        ("sh", Some("soon")) => Some(command(false, true)),
        ("sh", Some("serves")) => Some(Block::Serve(text)),
        ("text" | "json", Some("prints")) => Some(Block::Prints(text)),
        (_, Some(mark)) if mark.starts_with("file: ") => Some(Block::File {
            name: mark["file: ".len()..].to_owned(),
            text,
        }),
        ("sh" | "toml", _) => {
            panic!("{place}: neither run, nor a file, nor said to be left out: {before:?}")
        }
        (_, Some(mark)) => panic!("{place}: {mark:?} of {language:?}"),
        (_, None) => None,
    }
}

#[test]
fn a_page_is_what_there_is_to_do() {
    let text = "a\n\n```sh\nb \\\n  c\n```\n\n<!-- prints -->\n```text\nd\n```\n\n*Not run by our tests: e.*\n\n```sh\nf\n```\n\n\
        <!-- file: g.toml -->\n```toml\nh = 1\n```\n\n1. <b>\n\n   <!-- serves -->\n   ```sh\n   i\n   ```\n";
    let Page(blocks) = Page::parse("p", text);
    let blocks: Vec<_> = blocks.into_iter().map(|(_, block)| block).collect();
    let run = Block::Run {
        text: "b \\\n  c\n".to_owned(),
        fails: false,
        soon: false,
    };
    let file = Block::File {
        name: "g.toml".to_owned(),
        text: "h = 1\n".to_owned(),
    };
    let expected = [
        run,
        Block::Prints("d\n".to_owned()),
        file,
        Block::Serve("i\n".to_owned()),
    ];
    assert_eq!(blocks, expected);
}

#[test]
#[should_panic(expected = "p:2: neither run")]
fn a_configuration_that_nobody_tries_is_seen() {
    Page::parse("p", "\n```toml\na = 1\n```\n");
}
