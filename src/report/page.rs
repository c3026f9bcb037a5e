//! Templates become pages.

use minijinja::Environment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use serde_json::Value;

/// The report's page; `{{ … }}` is escaped, charts are made by `chart`, which escapes what it is told.
pub(super) const TEMPLATE: &str = include_str!("template.html");

/// A template's page. What it names has to be in the values: a test renders every template.
pub(super) fn render(template: &str, values: &Value) -> String {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
    // The name's ending is what makes every value escaped.
    let template = environment.template_from_named_str("report.html", template);
    let rendered = template.and_then(|template| template.render(Serde(values)));
    rendered.expect("a test renders the template, and no field of the page is optional")
}

/// The report's style, for other pages: one place says what they look like.
pub(super) fn style() -> &'static str {
    let (_, rest) = TEMPLATE.split_once("<style>").expect("the report has a style");
    rest.split_once("</style>").expect("which ends").0
}
