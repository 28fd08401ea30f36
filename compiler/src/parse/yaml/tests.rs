use super::*;

fn scalar(text: &str) -> Resolved {
    let Value::Scalar(scalar) = read(text).documents.remove(0).value else { panic!("no scalar: {text}") };
    scalar.resolve()
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    for (text, resolved) in [
        ("no", Resolved::Text),
        ("22:00", Resolved::Text),
        ("NO", Resolved::Text),
        ("\"93\"", Resolved::Text),
        ("!!str 93", Resolved::Text),
        ("! 93", Resolved::Text),
        ("!<tag:yaml.org,2002:str> 93", Resolved::Text),
        ("%TAG !y! tag:yaml.org,2002:\n---\n!y!str 93", Resolved::Text),
        ("!!int \"93\"", Resolved::Int(93)),
        ("!<tag:yaml.org,2002:int> '93'", Resolved::Int(93)),
        ("!!bool \"true\"", Resolved::Bool(true)),
        ("!!float \"3.4\"", Resolved::Float(3.4)),
        ("!!null \"\"", Resolved::Null),
        ("!!int \"x\"", Resolved::Text),
        ("!x 93", Resolved::Int(93)),
        ("!x \"93\"", Resolved::Text),
        ("+9379", Resolved::Int(9379)),
        ("0093", Resolved::Int(93)),
        ("0o17", Resolved::Int(15)),
        ("9.37E+04", Resolved::Float(93700.0)),
        ("3.4", Resolved::Float(3.4)),
        ("~", Resolved::Null),
        ("True", Resolved::Bool(true)),
        ("1.2.3", Resolved::Text),
        ("1e", Resolved::Text),
        ("2026-01-01", Resolved::Text),
    ] {
        assert_eq!(scalar(text), resolved, "{text}");
    }
}

#[test]
fn places_are_lines_and_characters() {
    let stream = read("ä: {b: \"cd\"}\nlist:\n  - x\n");
    let root = &stream.documents[0];
    let b = root.get("ä").unwrap().get("b").unwrap();
    assert_eq!((b.span.start.line, b.span.start.column, b.span.end.column), (1, 8, 12));
    assert_eq!(root.get("list").unwrap().span.start.line, 3);
}

#[test]
fn a_quoted_scalar_ends_at_its_quote() {
    for head in ["", "# ä\r\n"] {
        let text = format!("{head}a: \"x\"  # c\nb: 'it''s'   # c\nc: [\"\\\"\" , 1]  # c\n\"d\" : \"x\n  y\" \n");
        let stream = read(&text);
        let root = &stream.documents[0];
        let columns = |node: &Node<'_>| (node.span.start.column, node.span.end.column);
        assert_eq!(columns(root.get("a").unwrap()), (4, 7));
        assert_eq!(columns(root.get("b").unwrap()), (4, 11));
        let Value::Sequence(items) = &root.get("c").unwrap().value else { panic!("no list") };
        assert_eq!(columns(&items[0]), (5, 9));
        assert_eq!(columns(root.entry("d").unwrap().0), (1, 4));
        assert_eq!(columns(root.get("c").unwrap()), (4, 14));
        assert_eq!(root.get("d").unwrap().span.end.line, root.get("d").unwrap().span.start.line + 1);
    }
}

#[test]
fn aliases_have_a_budget_and_duplicates_are_kept() {
    let bomb = (0..12).fold("a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(), |text, i| {
        let refs = vec![format!("*a{i}"); 8].join(", ");
        format!("{text}a{}: &a{} [{refs}]\n", i + 1, i + 1)
    });
    assert!(matches!(read(&bomb).fault, Some(Fault::AliasBomb)));
    let stream = read("a: 1\nb: 2\na: 3\n");
    assert_eq!(stream.duplicates[0].second.start.line, 3);
    assert!(matches!(read(&"[".repeat(200)).fault, Some(Fault::TooDeep { .. })));
}

#[test]
fn a_tab_in_the_indentation_is_a_fault() {
    for (text, line, column) in [
        ("a:\n  b:\n   \tc: 1\n", 3, 5),
        ("a:\n   \t- b\n", 2, 5),
        ("a:\n   \t-\n     b: 1\n", 2, 5),
        ("a:\n  \t\tb: 1\n", 2, 4),
        ("\ta: 1\n", 1, 2),
        ("\u{feff}\ta: 1\n", 1, 2),
        ("ä: ü\n---\n\t- b\n", 3, 2),
        ("# x\r\n\t\"a\": 1\r\n", 2, 2),
        ("a:\n  \t&x b: 1\n", 2, 4),
        ("a:\n  \t? b\n  : 1\n", 2, 4),
        ("a:\n  \t[b]: 1\n", 2, 4),
        ("a: &x\n \tb: 1\n", 2, 3),
        ("a:\n    \tb: 1\n    c: 2\n", 2, 6),
        ("a: [1,\n    2]\nb:\n  \tc: 1\n", 4, 4),
        ("a: |\n  b\nc:\n  \t- d\n", 4, 4),
        ("a:\n  -\tb: 1\n", 2, 5),
        ("- - \t b:\n", 1, 6),
        ("? a\n:\t- b\n", 2, 3),
    ] {
        let Some(Fault::Syntax { at, .. }) = read(text).fault else { panic!("no fault: {text:?}") };
        assert_eq!((at.line, at.column), (line, column), "{text:?}");
    }
}

#[test]
fn a_tab_elsewhere_is_no_fault() {
    for text in [
        "a:\t\"b\"\t# c\n\t\n \t# d\n",
        "a:\n  \tb\n",
        "a:\t1\nb:\t\tc # d\ne:\t-1\n",
        "-\tb\n-\t\"c: d\"\n-\t[e]\n- \t{f: 1}\n",
        "{a:\tb, c:\t[d]}\n",
        "a: b\n  \tc\n  \t- d\n",
        "a: \"b\n  \tc: d\n  \t- e\"\n",
        "a: 'b\n  \t- c'\nd: 1\n",
        "a: |\n \tb: c\n \t- d\n",
        "a: >-\n\n \t- b\n  c\n",
        "- |\n \t- b",
        "a: [\n \tb, {\n \tc: d}\n \t]\n",
        "a: {b: c,\n  \t\"d\": e}\nf: 1\n",
        "{\n\ta: 1\n\t}\n",
        "a: !!seq [\n \tb: c]\n",
        "a: &x # c\n  {\n \tb: c}\n",
    ] {
        assert!(read(text).fault.is_none(), "{text:?}: {:?}", read(text).fault);
    }
}

#[test]
fn a_slip_is_marked_where_it_is() {
    for (text, line, column, help) in [
        ("a:\n  b: 1\n  port 2775 # c\n  d: 1\n", 3, 3, "write `port: 2775`"),
        ("a:\n  b: 1\n  port:2775\n", 3, 3, "write `port: 2775`"),
        ("a:\n  # c\n\n  port 2775\n  d: 1\n", 4, 3, "write `port: 2775`"),
        ("a:\n  - port:2775\n    d: 1\n", 2, 5, "write `port: 2775`"),
        ("a: |\n  b\nport\nd: 1\n", 3, 1, "write `port:`"),
        ("a: [b,\n  c]\r\nport\r\n  d: 1\r\n", 3, 1, "write `port:`"),
        ("a: 1\nport", 2, 1, "write `port:`"),
        ("a: 1\n<<<<<<< HEAD\nb: 1\n", 2, 1, "keep one of the two sides, and take out the marks"),
        ("a:\n  b: 1\n  token 2775\n  d: 1\n", 3, 3, "write `token:`"),
        ("a:\n  b: 1\n  c:{password:x}\n  d: 1\n", 3, 3, "write `c:`"),
        ("password:\n  b: 1\n  c d\n  d: 1\n", 3, 3, "between a field and its value stand a colon and a space"),
        ("a: b: c\n", 1, 5, "quote the value"),
        ("a: b\n  c: d\n", 2, 4, "indent it as the field it belongs with"),
        ("a:\n  b: [1, 2\n  c: 1\n", 2, 6, "close it with `]`"),
        ("a:\n  - b: [{c: \"[\", d: it's}, {e: [1]\n    f: 1\n", 2, 28, "close it with `}`"),
        ("a:\n  - b: [{c: 1]\n  - f: 1\n", 2, 9, "close it with `}`"),
        ("a:\n  - [1, 2 # ]\n  - [3]\n", 2, 5, "close it with `]`"),
        ("a: !x # c\n  - b: 1\n  - &c {d: 1,\n    e: [2]\n  - [3]\n", 3, 8, "close it with `}`"),
        ("a:\n  {b: [1]\nc: 1\n", 2, 3, "close it with `}`"),
        ("a:\n  ---\n  b: 1\n", 2, 3, "between a field and its value stand a colon and a space"),
        ("rules: [", 1, 8, "close it with `]`"),
        ("ä: 1\nrules: [\n\n", 2, 8, "close it with `]`"),
        ("{\"a\": 1,\n\"b\": 2\n", 1, 1, "close it with `}`"),
        ("a: 1\nb: \"c\n", 2, 4, "close it on its line"),
        ("a:\n  b: |\n\tc\n", 3, 2, "indent with spaces"),
        ("a:\n  b: c\td\n\te\n", 3, 2, "indent with spaces"),
        ("a:\n\u{a0}\u{a0}b: c\n  d: 1\n", 2, 1, "indent with spaces"),
        ("a:\n  b: c\n\u{3000} d: 1\n  e: 1\n", 3, 1, "indent with spaces"),
        ("a: 1\nb: \"x \\ud83d\\udcf1\"\n", 2, 7, "write the character itself, or `\\U0001F4F1` for both halves"),
        ("a: \"x\n  \\ud83d y\"\n", 2, 3, "write the character itself"),
        ("password: \"\\ud83d\\udcf1\"\n", 1, 12, "write the character itself"),
        ("a: &x 1\n---\nb: &y 2\nc: [*y, *x]\n", 4, 9, "an anchor counts in its own document: write the value out"),
        ("a: &x 1\n---\nb: &y [*y]\n", 3, 8, "write the value out"),
    ] {
        let Some(Fault::Syntax { at, help: said, .. }) = read(text).fault else { panic!("no fault: {text:?}") };
        assert_eq!((at.line, at.column, said.as_deref()), (line, column, Some(help)), "{text:?}");
    }
}

#[test]
fn no_fault_stands_behind_the_last_line() {
    for text in
        ["a: {b: 1", "a: {b: 1\n", "a:\n  - b\n c", "a", "[", "\"", "a: !<x", "- a\nb\n\n", "? [", "a: &\n", "%"]
    {
        if let Some(Fault::Syntax { at, .. }) = read(text).fault {
            assert!(at.line as usize <= text.lines().count(), "{text:?}: {at:?}");
        }
    }
}

#[test]
fn an_anchor_is_no_part_of_what_it_names() {
    for head in ["", "# ä\r\n"] {
        let text = format!(
            "{head}a: &a 1 # c\nb: &b !!str \"x\" # c\nc: &c # c\n  - 1\nd: &d {{e: 1}}\ne: &e |  # c\n\n  x\nf: !!str 1\ng: &g\n"
        );
        let stream = read(&text);
        let root = &stream.documents[0];
        let first = u32::from(!head.is_empty());
        for (name, line, start, end) in
            [("a", 1, 7, 8), ("b", 2, 13, 16), ("c", 4, 3, 6), ("d", 5, 7, 13), ("f", 9, 4, 11), ("g", 10, 4, 6)]
        {
            let span = root.get(name).unwrap().span;
            let found = (span.start.line - first, span.start.column, span.end.column);
            assert_eq!(found, (line, start, end), "{name}");
        }
        let block = root.get("e").unwrap().span.start;
        assert_eq!((block.line - first, block.column), (8, 3));
    }
}

#[test]
fn what_is_not_there_is_marked_by_its_colon_key_or_dash() {
    let stream = read("ä: # c\nb:\n  - 1\n  -\n  -  # - c\n  - -\nc: {d: , e}\nf:\n");
    let root = &stream.documents[0];
    let place = |node: &Node<'_>| (node.span.start.line, node.span.start.column, node.span.end.column);
    assert_eq!(place(root.get("ä").unwrap()), (1, 2, 2));
    assert_eq!(place(root.get("f").unwrap()), (8, 2, 2));
    assert_eq!(place(root.get("c").unwrap().get("d").unwrap()), (7, 6, 6));
    assert_eq!(place(root.get("c").unwrap().get("e").unwrap()), (7, 10, 11));
    let Value::Sequence(items) = &root.get("b").unwrap().value else { panic!("no list") };
    let Value::Sequence(inner) = &items[3].value else { panic!("no list") };
    assert_eq!((place(&items[1]), place(&items[2]), place(&inner[0])), ((4, 3, 4), (5, 3, 4), (6, 5, 6)));
}

#[test]
fn tabs_may_stand_between_a_colon_and_its_value() {
    let stream = read("a:\t1\nb: {c:\tx}\n");
    let root = &stream.documents[0];
    assert_eq!(root.get("a").unwrap().span.start.column, 4);
    assert_eq!(root.get("b").unwrap().get("c").unwrap().as_text(), Some("x"));
}
