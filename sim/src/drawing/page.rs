//! Puts the picture into the page.

use super::picture::Picture;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page/style.css");
/// In the order in which they depend on one another; they become one script.
const SCRIPTS: [&str; 8] = [
    include_str!("page/words.js"),
    include_str!("page/scale.js"),
    include_str!("page/view.js"),
    include_str!("page/draw.js"),
    include_str!("page/arrows.js"),
    include_str!("page/pointer.js"),
    include_str!("page/table.js"),
    include_str!("page/main.js"),
];

pub(super) fn fill(title: &str, repro: &str, picture: &Picture) -> String {
    let data = serde_json::to_string(picture).expect("nothing in a picture can fail to be written");
    let (title, repro, data, script) = (escaped(title), escaped(repro), harmless(&data), SCRIPTS.concat());
    let mut page = String::with_capacity(TEMPLATE.len() + STYLE.len() + script.len() + data.len() + 1024);
    // One pass: what is filled in is not looked at again, whatever it says.
    let mut parts = TEMPLATE.split("{{");
    page.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap_or((part, ""));
        page.push_str(match name {
            "title" => &title,
            "repro" => &repro,
            "style" => STYLE,
            "data" => &data,
            "script" => &script,
            _ => "",
        });
        page.push_str(rest);
    }
    page
}

/// JSON that cannot end the element that it is in, nor begin a comment in it. Outside of texts there are no such characters.
fn harmless(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
