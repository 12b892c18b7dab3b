using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;

namespace Moorline.Tests
{
    /// <summary>The example, as two processes.</summary>
    public static class PeerTests
    {
        [Test(DeadlineMs = 90000)]
        public static void Two_processes_of_the_example_fetch_and_greet_each_other()
        {
            using (var folder = new Folder())
            using (var server = new Server())
            {
                folder.Fill("ann/atlas/large", 3000000);
                folder.Fill("bob/charts/small", 100);
                var into = Path.Combine(folder.Path, "into");
                using (var ann = Start("ann", Path.Combine(folder.Path, "ann/atlas"), "-", "-", "-", server.Url, "lobby"))
                {
                    var listening = ann.StandardOutput.ReadLine();
                    Expect.That(listening.StartsWith("listening ", StringComparison.Ordinal), "an address, not " + listening);
                    using (var bob = Start(
                        "bob", Path.Combine(folder.Path, "bob/charts"), listening.Substring(10), "atlas", into, server.Url, "lobby"))
                    {
                        var said = Lines(bob);
                        Expect.That(said.Contains("fetched " + Path.Combine(into, "atlas")), "it fetched, in " + string.Join("; ", said));
                        Expect.Equal("answer ann greets bob; done", string.Join("; ", said.Skip(said.Count - 2)));
                        Expect.Equal(0, bob.ExitCode);
                    }
                    var heard = Lines(ann);
                    Expect.That(heard.Any(line => line.EndsWith(" says hello from bob", StringComparison.Ordinal)), "to hear bob");
                    Expect.That(heard.Contains("answer bob greets ann") && heard.Last() == "done", "an answer and the end");
                    Expect.Equal(0, ann.ExitCode);
                }
                Expect.Equal(Folder.Fingerprint(Path.Combine(folder.Path, "ann/atlas")), Folder.Fingerprint(Path.Combine(into, "atlas")));
            }
        }

        [Test(DeadlineMs = 60000)]
        public static void The_example_says_what_failed_and_exits_with_1()
        {
            using (var peer = Start("ann", "/does/not/exist", "nonsense", "-", "-", "ws://127.0.0.1:9", "lobby"))
            {
                Expect.That(Lines(peer).Last().StartsWith("failed: ", StringComparison.Ordinal), "it to say so");
                Expect.Equal(1, peer.ExitCode);
            }
        }

        private static Process Start(params string[] args)
        {
            var examples = Environment.GetEnvironmentVariable("MOORLINE_EXAMPLES_BUILT");
            Expect.That(examples != null, "MOORLINE_EXAMPLES_BUILT to name the folder of Peer.exe");
            var quoted = new[] { Path.Combine(examples, "Peer.exe") }.Concat(args).Select(arg => "\"" + arg + "\"");
            return Process.Start(new ProcessStartInfo(Process.GetCurrentProcess().MainModule.FileName, string.Join(" ", quoted))
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
            });
        }

        private static List<string> Lines(Process process)
        {
            var lines = process.StandardOutput.ReadToEnd().Split(new[] { '\n' }, StringSplitOptions.RemoveEmptyEntries).ToList();
            process.WaitForExit();
            return lines;
        }
    }
}
