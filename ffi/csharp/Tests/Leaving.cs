using System;
using System.Diagnostics;
using System.Reflection;
using System.Threading;

namespace Moorline.Tests
{
    /// <summary>A process, and an AppDomain, that goes away without closing anything.</summary>
    public static class Leaving
    {
        internal const string Argument = "--leave-everything-open";

        private static MoorlineClient _client;
        private static Room _room;

        /// <summary>Starts what can be started, and forgets about it.</summary>
        public static void OpenEverything()
        {
            _client = new MoorlineClient();
            var node = _client.StartNode(Quiet.Node);
            Pump.Until(_client, () => node.WhenStarted.IsCompleted);
            _room = _client.JoinRoom(Quiet.Nowhere, node);
            GC.KeepAlive(_room.SendAsync("never sent"));
            GC.KeepAlive(Hooks.Endless(_client, null));
            var pump = new Thread(() =>
            {
                for (; ; )
                    _client.DispatchEvents(Timeout.Infinite);
            });
            pump.IsBackground = true;
            pump.Start();
        }

        internal static int EverythingOpen()
        {
            OpenEverything();
            return 0;
        }

        internal static int RunElsewhere()
        {
            var start = new ProcessStartInfo(
                Process.GetCurrentProcess().MainModule.FileName,
                "\"" + Assembly.GetExecutingAssembly().Location + "\" " + Argument);
            start.UseShellExecute = false;
            using (var process = Process.Start(start))
            {
                if (!process.WaitForExit(10000))
                {
                    process.Kill();
                    throw new Exception("it hangs");
                }
                return process.ExitCode;
            }
        }
    }
}
