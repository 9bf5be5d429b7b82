//! Lets the library leave Python's names open on every system: the interpreter that imports it has them.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
