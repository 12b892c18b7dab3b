//! `ffi/csharp/Runtime/Native.Generated.cs`: constants, structs and P/Invoke signatures, in the C# that Mono's compiler takes.

use std::fmt::Write;

use super::interface::{Interface, Struct, Type, Variable, pascal};

const TOP: &str = r#"// The C interface as C# sees it. Generated from ffi/src by `cargo xtask codegen`: change that, and not this file.
// Names are those of moorline.h without the prefix. What each thing means is said there.

using System.Runtime.InteropServices;

namespace Moorline
{
    internal static unsafe partial class Native
    {
#if UNITY_IOS && !UNITY_EDITOR
        const string Library = "__Internal";
#else
        const string Library = "moorline";
#endif
"#;

pub(super) fn generate(interface: &Interface) -> String {
    let mut text = TOP.to_owned();
    text.push('\n');
    for constant in &interface.constants {
        let _ =
            writeln!(text, "        internal const {} {} = {};", ty(&constant.ty), constant.short(), constant.value);
    }
    text.push_str("\n        /// <summary>A status as a word.</summary>\n");
    text.push_str("        internal static string StatusName(int status)\n        {\n            switch (status)\n            {\n");
    text.push_str("                case OK: return \"ok\";\n");
    for constant in &interface.constants {
        if let Some(word) = constant.word_in("E_") {
            let _ = writeln!(text, "                case {}: return \"{word}\";", constant.short());
        }
    }
    text.push_str("                default: return \"unknown\";\n            }\n        }\n");
    for record in &interface.structs {
        structure(&mut text, record);
    }
    for callback in &interface.callbacks {
        text.push('\n');
        summary(&mut text, &callback.docs);
        let _ = writeln!(text, "        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]");
        let _ =
            writeln!(text, "        internal delegate void {}({});", callback.name, parameters(&callback.parameters));
    }
    for function in &interface.functions {
        let _ = writeln!(
            text,
            "\n        [DllImport(Library, EntryPoint = \"{}\", CallingConvention = CallingConvention.Cdecl)]",
            function.name
        );
        let _ = writeln!(
            text,
            "        internal static extern int {}({});",
            pascal(function.short()),
            parameters(&function.parameters)
        );
    }
    text.push_str("    }\n}\n");
    text
}

fn summary(text: &mut String, docs: &[String]) {
    let escaped = docs.join("\n        /// ").replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(text, "        /// <summary>{escaped}</summary>");
}

fn structure(text: &mut String, record: &Struct) {
    text.push('\n');
    summary(text, &record.docs);
    let _ = writeln!(text, "        [StructLayout(LayoutKind.Sequential)]");
    let _ = writeln!(text, "        internal struct {}\n        {{", record.name);
    for field in &record.fields {
        let name = pascal(&field.name);
        match &field.ty {
            // C# has arrays in place only of numbers.
            Type::Array(of, length) if matches!(**of, Type::Struct(_)) => {
                let names: Vec<String> = (0..*length).map(|index| format!("{name}{index}")).collect();
                let _ = writeln!(text, "            internal {} {};", ty(of), names.join(", "));
            }
            Type::Array(of, length) => {
                let _ = writeln!(text, "            internal fixed {} {name}[{length}];", ty(of));
            }
            plain => {
                let _ = writeln!(text, "            internal {} {name};", ty(plain));
            }
        }
    }
    text.push_str("        }\n");
}

fn parameters(parameters: &[Variable]) -> String {
    let parameter = |parameter: &Variable| format!("{} {}", ty(&parameter.ty), camel(&parameter.name));
    parameters.iter().map(parameter).collect::<Vec<_>>().join(", ")
}

/// `user_data` as `userData`.
fn camel(name: &str) -> String {
    let name = pascal(name);
    name[..1].to_lowercase() + &name[1..]
}

fn ty(ty_: &Type) -> String {
    match ty_ {
        Type::U8 => "byte".to_owned(),
        Type::U32 => "uint".to_owned(),
        Type::U64 => "ulong".to_owned(),
        Type::I32 | Type::Usize => "int".to_owned(),
        Type::Void => "void".to_owned(),
        Type::Struct(name) | Type::Callback(name) => name.clone(),
        Type::Pointer(to) => format!("{}*", ty(to)),
        Type::Array(of, length) => format!("{}[{length}]", ty(of)),
    }
}
