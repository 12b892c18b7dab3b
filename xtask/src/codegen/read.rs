//! Reads the interface out of the Rust sources of `ffi`. What it does not understand is an error, never left out.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use syn::{Attribute, Expr, Fields, FnArg, Item, Lit, Pat, Visibility};

use super::contract::Contract;
use super::interface::{Callback, Constant, Function, Interface, Struct, Type, Variable};

/// Where the interface lies, in the order of the header.
pub(super) const SOURCES: [&str; 8] = [
    "status.rs",
    "kinds.rs",
    "types.rs",
    "abi/client.rs",
    "abi/events.rs",
    "abi/node.rs",
    "abi/room.rs",
    "abi/calls.rs",
];

/// Functions of test builds, which no header and no table has.
const NOT_READ: &str = "test_hooks.rs";

/// The sources of the interface.
pub(super) fn folder(root: &Path) -> std::path::PathBuf {
    root.join("ffi/src")
}

impl Interface {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        nothing_left_out(root)?;
        let mut reader = Reader::default();
        for source in SOURCES {
            let path = folder(root).join(source);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let file = syn::parse_file(&text).with_context(|| format!("ffi/src/{source} is not Rust"))?;
            reader.file(&file).with_context(|| format!("in ffi/src/{source}"))?;
        }
        Ok(reader.found)
    }
}

/// A new file of functions has to be put into the order of the header.
fn nothing_left_out(root: &Path) -> Result<()> {
    for entry in fs::read_dir(folder(root).join("abi"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != NOT_READ && !SOURCES.contains(&format!("abi/{name}").as_str()) {
            bail!("ffi/src/abi/{name} is in no header: name it in xtask/src/codegen/read.rs");
        }
    }
    Ok(())
}

#[derive(Default)]
struct Reader {
    found: Interface,
    /// Values of constants so far: lengths of arrays are told by name.
    values: HashMap<String, u64>,
}

impl Reader {
    fn file(&mut self, file: &syn::File) -> Result<()> {
        file.items.iter().try_for_each(|item| self.item(item))
    }

    fn item(&mut self, item: &Item) -> Result<()> {
        match item {
            Item::Const(item) if item.ident.to_string().starts_with("MOORLINE_") => self.constant(item),
            Item::Struct(item) if is_repr_c(&item.attrs) => self.record(item),
            Item::Type(item) if matches!(item.vis, Visibility::Public(_)) => self.callback(item),
            Item::Fn(item) if item.sig.ident.to_string().starts_with("moorline_") => self.function(item),
            _ => Ok(()),
        }
    }

    fn constant(&mut self, item: &syn::ItemConst) -> Result<()> {
        let name = item.ident.to_string();
        let value = value(&item.expr).with_context(|| format!("{name} has a value that is not a plain number"))?;
        let ty = self.ty(&item.ty)?;
        self.values.insert(name.clone(), value);
        self.found.constants.push(Constant { name, ty, value });
        Ok(())
    }

    fn record(&mut self, item: &syn::ItemStruct) -> Result<()> {
        let name = item.ident.to_string();
        let Fields::Named(fields) = &item.fields else { bail!("{name} has fields without names") };
        let field = |field: &syn::Field| {
            let name = field.ident.as_ref().context("a field without a name")?.to_string();
            Ok(Variable { name, ty: self.ty(&field.ty)? })
        };
        let fields = fields.named.iter().map(field).collect::<Result<_>>().with_context(|| format!("in {name}"))?;
        self.found.structs.push(Struct { name, docs: docs(&item.attrs), fields });
        Ok(())
    }

    /// `pub type Name = Option<unsafe extern "C-unwind" fn(...)>;`
    fn callback(&mut self, item: &syn::ItemType) -> Result<()> {
        let name = item.ident.to_string();
        let function = optional(&item.ty).with_context(|| format!("{name} is not the type of an optional function"))?;
        let parameter = |parameter: &syn::BareFnArg| {
            let (name, _) = parameter.name.as_ref().context("a parameter without a name")?;
            Ok(Variable { name: name.to_string(), ty: self.ty(&parameter.ty)? })
        };
        let parameters =
            function.inputs.iter().map(parameter).collect::<Result<_>>().with_context(|| format!("in {name}"))?;
        self.found.callbacks.push(Callback { name, docs: docs(&item.attrs), parameters });
        Ok(())
    }

    fn function(&mut self, item: &syn::ItemFn) -> Result<()> {
        let name = item.sig.ident.to_string();
        let parameter = |parameter: &FnArg| {
            let FnArg::Typed(parameter) = parameter else { bail!("it has a self") };
            let Pat::Ident(name) = &*parameter.pat else { bail!("a parameter without a name") };
            Ok(Variable { name: name.ident.to_string(), ty: self.ty(&parameter.ty)? })
        };
        let read = || {
            let contract = Contract::read(&docs(&item.attrs))?;
            let parameters = item.sig.inputs.iter().map(parameter).collect::<Result<_>>()?;
            let syn::ReturnType::Type(_, answer) = &item.sig.output else { bail!("it returns no status") };
            if self.ty(answer)? != Type::I32 {
                bail!("it returns something that is not a status");
            }
            Ok(Function { name: name.clone(), contract, parameters })
        };
        let function = read().with_context(|| format!("{name} cannot be exported"))?;
        self.found.functions.push(function);
        Ok(())
    }

    fn ty(&self, ty: &syn::Type) -> Result<Type> {
        match ty {
            syn::Type::Ptr(pointer) => Ok(Type::Pointer(Box::new(self.ty(&pointer.elem)?))),
            syn::Type::Array(array) => Ok(Type::Array(Box::new(self.ty(&array.elem)?), self.length(&array.len)?)),
            syn::Type::Path(path) => {
                let name = path.path.require_ident()?.to_string();
                match name.as_str() {
                    "u8" => Ok(Type::U8),
                    "u32" => Ok(Type::U32),
                    "u64" => Ok(Type::U64),
                    "i32" => Ok(Type::I32),
                    "usize" => Ok(Type::Usize),
                    "c_void" => Ok(Type::Void),
                    _ if self.found.callbacks.iter().any(|known| known.name == name) => Ok(Type::Callback(name)),
                    _ if self.found.structs.iter().any(|known| known.name == name) => Ok(Type::Struct(name)),
                    _ => bail!("{name} is no type of the interface"),
                }
            }
            _ => bail!("a type that no table can express"),
        }
    }

    fn length(&self, length: &Expr) -> Result<u64> {
        if let Expr::Path(path) = length {
            let name = path.path.require_ident()?.to_string();
            return self.values.get(&name).copied().with_context(|| format!("{name} is not known"));
        }
        value(length).context("the length of an array is neither a number nor a constant")
    }
}

/// A plain number, or `u32::MAX`.
fn value(expression: &Expr) -> Option<u64> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse().ok(),
            _ => None,
        },
        Expr::Path(path) => {
            let parts: Vec<String> = path.path.segments.iter().map(|part| part.ident.to_string()).collect();
            (parts == ["u32", "MAX"]).then(|| u32::MAX.into())
        }
        _ => None,
    }
}

/// The function in `Option<fn(...)>`.
fn optional(ty: &syn::Type) -> Option<&syn::TypeBareFn> {
    let syn::Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        syn::GenericArgument::Type(syn::Type::BareFn(function)) => Some(function),
        _ => None,
    }
}

fn is_repr_c(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("repr") && attribute.parse_args::<syn::Ident>().is_ok_and(|layout| layout == "C")
    })
}

/// The lines of a `///` comment.
fn docs(attributes: &[Attribute]) -> Vec<String> {
    let line = |attribute: &Attribute| {
        let syn::Meta::NameValue(meta) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &meta.value else { return None };
        let Lit::Str(text) = &literal.lit else { return None };
        attribute.path().is_ident("doc").then(|| text.value().trim().to_owned())
    };
    attributes.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Result<Interface> {
        let mut reader = Reader::default();
        reader.file(&syn::parse_file(source)?)?;
        Ok(reader.found)
    }

    const CONTRACT: &str = "/// Contract: any thread; returns at once; callback: yes; fork: forked.";

    #[test]
    fn constants_structs_callbacks_and_functions_are_found() {
        let interface = read(&format!(
            "pub const MOORLINE_MANY: usize = 0x10; pub const MOORLINE_FOREVER: u32 = u32::MAX; const OTHER: u8 = 1;
            #[repr(C)] pub struct Span {{ pub data: *const u8, pub rest: [u64; MOORLINE_MANY] }}
            pub type Callback = Option<unsafe extern \"C-unwind\" fn(span: *const Span, data: *mut c_void)>;
            {CONTRACT}
            pub unsafe extern \"C\" fn moorline_two(span: *mut *const Span, callback: Callback) -> i32 {{ 0 }}
            {CONTRACT}
            pub unsafe extern \"C\" fn moorline_one() -> i32 {{ 0 }}
            fn private() {{}}"
        ))
        .unwrap();
        let values: Vec<u64> = interface.constants.iter().map(|constant| constant.value).collect();
        assert_eq!(values, [16, u32::MAX.into()]);
        assert_eq!(interface.structs[0].fields[1].ty, Type::Array(Box::new(Type::U64), 16));
        assert_eq!(interface.callbacks[0].parameters[1].ty, Type::Pointer(Box::new(Type::Void)));
        assert_eq!(interface.functions[0].parameters[1].ty, Type::Callback("Callback".into()));
        assert_eq!(interface.symbols(), ["moorline_one", "moorline_two"]);
    }

    #[test]
    fn what_no_table_can_express_is_refused() {
        for wrong in [
            "pub unsafe extern \"C\" fn moorline_silent() -> i32 { 0 }".to_owned(),
            format!("{CONTRACT}\npub unsafe extern \"C\" fn moorline_nothing() {{}}"),
            format!("{CONTRACT}\npub unsafe extern \"C\" fn moorline_size(size: usize, flag: bool) -> i32 {{ 0 }}"),
            "pub const MOORLINE_SUM: u32 = 1 + 1;".to_owned(),
            "#[repr(C)] pub struct Text { pub text: String }".to_owned(),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
