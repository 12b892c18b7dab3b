using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading;

namespace Moorline.Tests
{
    public static unsafe class TableTests
    {
        [Test]
        public static void The_library_speaks_the_interface_that_the_table_was_made_from()
        {
            uint version;
            MoorlineException.Check(Native.AbiVersion(&version));
            Expect.Equal(Native.ABI_VERSION, version);
        }

        [Test]
        public static void Every_status_of_the_library_has_a_name_here_and_no_other_has()
        {
            var native = typeof(Native).GetFields(BindingFlags.Static | BindingFlags.NonPublic)
                .Where(field => field.IsLiteral && (field.Name == "OK" || field.Name.StartsWith("E_", StringComparison.Ordinal)))
                .ToDictionary(field => (int)field.GetRawConstantValue(), field => field.Name.Replace("E_", "").Replace("_", ""));
            var ours = Enum.GetValues(typeof(Status)).Cast<Status>().ToDictionary(status => (int)status, status => status.ToString());
            Expect.Equal(string.Join(" ", native.Keys.OrderBy(key => key)), string.Join(" ", ours.Keys.OrderBy(key => key)));
            foreach (var status in ours)
                Expect.Equal(native[status.Key], status.Value.ToUpperInvariant());
        }

        [Test]
        public static void Everything_that_Unity_imports_has_a_meta_file_with_a_guid_of_its_own()
        {
            var package = Environment.GetEnvironmentVariable("MOORLINE_PACKAGE");
            Expect.That(package != null, "MOORLINE_PACKAGE to name the folder of the package");
            // Unity ignores what ends in a tilde.
            var assets = Directory.GetFileSystemEntries(package, "*", SearchOption.AllDirectories)
                .Where(path => !path.Contains("~") && !path.EndsWith(".meta", StringComparison.Ordinal)).ToList();
            Expect.That(assets.Count > 30, "to find the package at " + package);
            foreach (var asset in assets)
                Expect.That(File.Exists(asset + ".meta"), asset + " to have a .meta file");
            var guids = Directory.GetFiles(package, "*.meta", SearchOption.AllDirectories)
                .Select(meta => File.ReadAllLines(meta).Single(line => line.StartsWith("guid: ", StringComparison.Ordinal))).ToList();
            Expect.Equal(guids.Count, guids.Distinct().Count());
        }

        [Test]
        public static void Nothing_in_the_table_is_a_bool_or_a_native_integer()
        {
            foreach (var method in typeof(Native).GetMethods(BindingFlags.Static | BindingFlags.NonPublic))
            {
                foreach (var parameter in method.GetParameters())
                {
                    var type = parameter.ParameterType;
                    Expect.That(type != typeof(bool) && type != typeof(IntPtr) && type != typeof(UIntPtr),
                        method.Name + " not to have " + type);
                }
            }
        }

        [Test]
        public static void While_a_native_callback_takes_the_events_DispatchEvents_says_so_and_afterwards_it_works_again()
        {
            using (var client = new MoorlineClient())
            using (var called = new ManualResetEventSlim())
            {
                var thread = Thread.CurrentThread.ManagedThreadId;
                Native.EventCallback callback = (data, events, count) =>
                {
                    thread = Thread.CurrentThread.ManagedThreadId;
                    called.Set();
                };
                MoorlineException.Check(Native.EventsCallback(client.Handle, callback, null));
                MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 1, 0));
                called.Wait();
                Expect.That(thread != Thread.CurrentThread.ManagedThreadId, "another thread to be the one that calls");
                Expect.Status(Status.Busy, () => client.DispatchEvents());
                MoorlineException.Check(Native.EventsCallback(client.Handle, null, null));
                GC.KeepAlive(callback);
                var told = 0;
                client.Log += line => told++;
                MoorlineException.Check(Hooks.Emit(client.Handle, Native.EVENT_LOG, 1, 0));
                Pump.Until(client, () => told == 1);
            }
        }

        [Test]
        public static void Structs_have_the_size_that_the_library_expects()
        {
            // It refuses options of any other size, so one good call each is enough.
            using (var client = new MoorlineClient())
            using (var node = client.StartNode(Quiet.Node))
            using (var room = client.JoinRoom(Quiet.Nowhere, node))
            {
                node.Download(new DownloadOptions { Item = "x", Into = "/nowhere" }).Dispose();
                GC.KeepAlive(room.SendAsync("x", new SendOptions { Topic = "t" }));
                var update = room.UpdateAsync(new SelfUpdate { Name = "n" });
                Expect.That(!update.IsFaulted, "the update to be taken, not " + update.Exception);
            }
            Expect.Equal(512, sizeof(Native.Error));
        }
    }
}
