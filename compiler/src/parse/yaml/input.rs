//! The text as the careful parser takes it.
//!
//! Between a colon and its value YAML allows tabs alone as well as spaces. The parser does not, since behind the colon of
//! an explicit key a tab could be taken for an indentation; so it is told of a space there.

use saphyr_parser::StrInput;
use saphyr_parser::input::{Input, SkipTabs};

pub(super) struct Text<'t>(StrInput<'t>);

impl<'t> Text<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self(StrInput::new(text))
    }
}

/// Hands on what the parser asks for, in the fast way of the input below.
macro_rules! hand_on {
    ($(fn $name:ident(&self $(, $argument:ident: $kind:ty)*) $(-> $given:ty)?;)*) => {
        $(#[inline] fn $name(&self $(, $argument: $kind)*) $(-> $given)? { self.0.$name($($argument),*) })*
    };
    (mut $(fn $name:ident(&mut self $(, $argument:ident: $kind:ty)*) $(-> $given:ty)?;)*) => {
        $(#[inline] fn $name(&mut self $(, $argument: $kind)*) $(-> $given)? { self.0.$name($($argument),*) })*
    };
}

impl Input for Text<'_> {
    hand_on! {
        fn buflen(&self) -> usize;
        fn bufmaxlen(&self) -> usize;
        fn buf_is_empty(&self) -> bool;
        fn peek(&self) -> char;
        fn peek_nth(&self, n: usize) -> char;
        fn peek_opt(&self) -> Option<char>;
        fn next_char_is(&self, c: char) -> bool;
        fn nth_char_is(&self, n: usize, c: char) -> bool;
        fn next_2_are(&self, c1: char, c2: char) -> bool;
        fn next_3_are(&self, c1: char, c2: char, c3: char) -> bool;
        fn next_is_document_indicator(&self) -> bool;
        fn next_is_document_start(&self) -> bool;
        fn next_is_document_end(&self) -> bool;
        fn next_can_be_plain_scalar(&self, in_flow: bool) -> bool;
        fn next_is_blank_or_break(&self) -> bool;
        fn next_is_blank_or_breakz(&self) -> bool;
        fn next_is_blank(&self) -> bool;
        fn next_is_break(&self) -> bool;
        fn next_is_breakz(&self) -> bool;
        fn next_is_z(&self) -> bool;
        fn next_is_flow(&self) -> bool;
        fn next_is_digit(&self) -> bool;
        fn next_is_alpha(&self) -> bool;
    }
    hand_on! { mut
        fn lookahead(&mut self, count: usize);
        fn raw_read_ch(&mut self) -> char;
        fn raw_read_non_breakz_ch(&mut self) -> Option<char>;
        fn skip(&mut self);
        fn skip_n(&mut self, count: usize);
        fn look_ch(&mut self) -> char;
        fn skip_while_non_breakz(&mut self) -> usize;
        fn skip_while_blank(&mut self) -> usize;
        fn fetch_while_is_alpha(&mut self, out: &mut String) -> usize;
        fn fetch_while_is_yaml_non_space(&mut self, out: &mut String) -> usize;
    }

    fn skip_ws_to_eol(&mut self, skip_tabs: SkipTabs) -> (usize, Result<SkipTabs, &'static str>) {
        let (skipped, result) = self.0.skip_ws_to_eol(skip_tabs);
        let is_dash = self.0.next_char_is('-') && matches!(self.0.peek_nth(1), ' ' | '\t' | '\n' | '\r' | '\0');
        let told = |result: SkipTabs| {
            let blank = result.has_valid_yaml_ws() || result.found_tabs() && !is_dash;
            SkipTabs::Result(result.found_tabs(), blank)
        };
        (skipped, result.map(told))
    }
}
