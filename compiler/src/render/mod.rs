//! Runbooks: one Markdown file a carrier, from the catalog and a template. What people wrote into one stays.

mod context;
mod keep;

use bindery_schema::catalog::Catalog;
use bindery_schema::value::MnoId;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};

use crate::diagnostic::{Code, Finding, Location};
use crate::source::{FileId, Position, Span};

/// The template for repositories without one of their own.
pub const TEMPLATE: &str = include_str!("../../../templates/runbook.md.j2");

/// Where the runbooks are, from the root of a repository.
pub const FOLDER: &str = "runbooks/mno";
/// A repository's own template.
pub const OWN_TEMPLATE: &str = "templates/runbook.md.j2";

/// The file of a carrier's runbook.
pub fn path_of(mno: &MnoId) -> String {
    format!("{FOLDER}/{mno}.md")
}

/// Why a runbook cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The template is wrong.
    #[error("the template does not render: {0}")]
    Template(#[from] minijinja::Error),
    /// The catalog has no such carrier.
    #[error("there is no carrier `{0}`")]
    UnknownMno(MnoId),
    /// A keep block of the runbook does not end: what belongs to it is unknown.
    #[error("line {line}: the keep block `{name}` is not closed by `<!-- /bindery:keep -->`")]
    Unclosed {
        /// Its name.
        name: String,
        /// Where it begins, from 1.
        line: usize,
    },
    /// Two keep blocks have one name.
    #[error("line {line}: the keep block `{name}` is there twice")]
    Twice {
        /// The name.
        name: String,
        /// Where the second begins, from 1.
        line: usize,
    },
}

/// A template, parsed once for all carriers.
#[derive(Debug)]
pub struct Renderer<'t> {
    environment: Environment<'t>,
}

impl<'t> Renderer<'t> {
    /// Parses a template.
    pub fn new(template: &'t str) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.add_filter("cell", |text: String| cell(&text));
        environment.add_template(NAME, template)?;
        Ok(Self { environment })
    }

    /// Renders the runbook of a carrier. Keep blocks of `existing` replace those of the template; what the template no
    /// longer has is kept at the end.
    pub fn runbook(&self, catalog: &Catalog, mno: &MnoId, existing: Option<&str>) -> Result<String, Error> {
        let context = context::of(catalog, mno).ok_or_else(|| Error::UnknownMno(mno.clone()))?;
        let text = self.environment.get_template(NAME)?.render(context)?;
        keep::merge(&text, existing.unwrap_or_default())
    }
}

/// The name the template has in messages.
const NAME: &str = "runbook.md.j2";

/// Renders the runbook of one carrier; see [`Renderer::runbook`].
pub fn runbook(catalog: &Catalog, mno: &MnoId, template: &str, existing: Option<&str>) -> Result<String, Error> {
    Renderer::new(template)?.runbook(catalog, mno, existing)
}

/// The finding for a runbook that is missing or not what would be rendered, at the first line that differs.
pub fn stale(file: FileId, path: &str, existing: Option<&str>, rendered: &str) -> Finding {
    let same = existing.unwrap_or_default().lines().zip(rendered.lines()).take_while(|(a, b)| a == b).count();
    let at = Position { line: u32::try_from(same + 1).unwrap_or(u32::MAX), column: 1 };
    let (message, span) = match existing {
        Some(_) => {
            (format!("the runbook `{path}` is not what the configuration renders to"), Span { start: at, end: at })
        }
        None => (format!("the runbook `{path}` is missing"), Span::FILE),
    };
    Finding {
        code: Code::RunbookStale,
        message,
        primary: Location { file, span },
        related: Vec::new(),
        help: Some("run `bindery render` and commit the result".to_owned()),
        fix: None,
        object: None,
    }
}

/// Keeps a value inside its table cell.
fn cell(text: &str) -> String {
    text.trim().replace('\\', "\\\\").replace('|', "\\|").replace("\r\n", "<br>").replace(['\r', '\n'], "<br>")
}
