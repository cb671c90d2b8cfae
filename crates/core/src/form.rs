//! Forms (`a=1&b=2`): names and values decoded, byte for byte. Which text the bytes are, if any, is
//! for the reader to say.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// A name and its value.
pub type Field<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// All fields in their order, repeated ones too; one without `=` has an empty value.
pub fn fields(form: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let pairs = form.split(|&byte| byte == b'&');
    pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=');
        let (name, value) = match equals {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        (decoded(name), decoded(value))
    })
}

/// What a name or a value of a form says.
pub(crate) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'+') {
        return percent_decode(text).into();
    }
    let spaced: Vec<_> = text
        .iter()
        .map(|&byte| if byte == b'+' { b' ' } else { byte })
        .collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_text_is_read_as_other_readers_do() {
        for form in [
            "a=1&b=x+y%20z&a=2&&c&=d&e=%C3%A9&f=1=2&%2B=+%2B&g=%zz&h=%",
            "",
            "&",
            "=",
        ] {
            let ours = fields(form.as_bytes()).map(|(name, value)| {
                let text =
                    |bytes: Cow<'_, [u8]>| String::from_utf8(bytes.into_owned()).expect("text");
                (text(name), text(value))
            });
            let theirs = form_urlencoded::parse(form.as_bytes()).into_owned();
            assert_eq!(
                ours.collect::<Vec<_>>(),
                theirs.collect::<Vec<_>>(),
                "{form}"
            );
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let read: Vec<_> = fields(b"n%F6=J%F6rg+\xff").collect();
        assert_eq!(read, [(b"n\xf6"[..].into(), b"J\xf6rg \xff"[..].into())]);
    }
}
