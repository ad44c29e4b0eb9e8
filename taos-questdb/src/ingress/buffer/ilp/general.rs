//! Cells of any kind: long names, backslashes, room that has to be made first.

use super::IlpBuffer;
use crate::error::Result;
use crate::ingress::buffer::state::{Call, State};
use crate::ingress::buffer::text::{self, Writer};
use crate::ingress::names::{Form, Head, check_len, class};

impl IlpBuffer {
    /// Checks in the order of questdb §4.1; that of the characters was before.
    fn check(&self, name: &str, call: Call) -> Result<()> {
        check_len(name, self.max_name_len)?;
        self.state.check(call)
    }

    /// The first row's table, a table other than that, or one with a long name.
    #[inline(never)]
    pub(super) fn other_table(&mut self, name: &str, form: Form) -> Result<()> {
        self.check(name, Call::Table)?;
        let start = self.len;
        let (mut out, len) = self.room(2 * name.len());
        put_name(&mut out, name, form);
        *len += out.written();
        if start == 0 {
            self.first_table = self.len;
            self.first_head = match form {
                Form::Short => Head::load(name.as_bytes()),
                // No name has no bytes.
                _ => Head::default(),
            };
        } else if self.one_table {
            self.one_table = self.room[..self.first_table] == self.room[start..self.len];
        }
        self.state = State::TABLE;
        Ok(())
    }

    #[inline(never)]
    pub(super) fn any_symbol(&mut self, name: &str, form: Form, value: &[u8]) -> Result<()> {
        self.check(name, Call::Symbol)?;
        let escapes = text::escapes(value, class::BARE);
        let (mut out, len) = self.room(2 * name.len() + value.len() + escapes + 2);
        out.put([b',']);
        put_name(&mut out, name, form);
        out.put([b'=']);
        if escapes == 0 {
            out.put_slice(value);
        } else {
            out.put_escaped(value, class::BARE);
        }
        *len += out.written();
        self.state = State::SYMBOL;
        Ok(())
    }

    /// Writes the name of a column, leaving room for this many bytes of its value. What is written
    /// counts when it is added to the length given back.
    pub(super) fn column(
        &mut self,
        name: &str,
        form: Form,
        value: usize,
    ) -> Result<(Writer<'_, [u8]>, &mut usize)> {
        self.check(name, Call::Column)?;
        let first = self.state.allows(Call::Symbol);
        self.state = State::COLUMN;
        let (mut out, len) = self.room(2 * name.len() + 2 + value);
        out.put([if first { b' ' } else { b',' }]);
        put_name(&mut out, name, form);
        out.put([b'=']);
        Ok((out, len))
    }

    /// A column with a text of our own.
    #[inline(never)]
    pub(super) fn any_column(&mut self, name: &str, form: Form, value: &[u8]) -> Result<()> {
        let (mut out, len) = self.column(name, form, value.len())?;
        out.put_slice(value);
        *len += out.written();
        Ok(())
    }

    #[inline(never)]
    pub(super) fn any_integer(
        &mut self,
        name: &str,
        form: Form,
        value: i64,
        unit: u8,
    ) -> Result<()> {
        let (mut out, len) = self.column(name, form, super::INTEGER)?;
        out.put_integer(value);
        out.put([unit]);
        *len += out.written();
        Ok(())
    }

    #[inline(never)]
    pub(super) fn any_double(&mut self, name: &str, form: Form, value: f64) -> Result<()> {
        let mut window = [0; 64];
        let mut out = Writer::new(&mut window);
        out.put_double(value);
        let len = out.written();
        self.any_column(name, form, &window[..len])
    }

    #[inline(never)]
    pub(super) fn any_string(&mut self, name: &str, form: Form, value: &[u8]) -> Result<()> {
        let escapes = text::escapes(value, class::QUOTED);
        let (mut out, len) = self.column(name, form, value.len() + escapes + 2)?;
        out.put([b'"']);
        if escapes == 0 {
            out.put_slice(value);
        } else {
            out.put_escaped(value, class::QUOTED);
        }
        out.put([b'"']);
        *len += out.written();
        Ok(())
    }
}

fn put_name(out: &mut Writer<'_, [u8]>, name: &str, form: Form) {
    match form {
        Form::Short | Form::Plain => out.put_slice(name.as_bytes()),
        Form::Escaped => out.put_escaped(name.as_bytes(), class::BARE),
    }
}
