mod fake;
mod flow;
mod records;
