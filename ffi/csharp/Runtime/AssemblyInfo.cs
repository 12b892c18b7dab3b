using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Moorline.Tests")]
