//! Small pieces shared by the parts of the page.

/// Makes any text safe inside an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// `<name class="class">text</name>` with the text escaped; nothing at all for an empty text.
pub(super) fn element(name: &str, class: &str, text: &str) -> String {
    match (text.is_empty(), class.is_empty()) {
        (true, _) => String::new(),
        (_, true) => format!("<{name}>{}</{name}>", escape(text)),
        _ => format!("<{name} class=\"{class}\">{}</{name}>", escape(text)),
    }
}

/// A coordinate with at most one decimal: finer than a pixel, and short.
pub(super) fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
