using System;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Threading;

namespace Moorline.Tests
{
    /// <summary>A method whose name is a sentence that must hold.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TestAttribute : Attribute
    {
        /// <summary>After this long it does not hold.</summary>
        public int DeadlineMs = 20000;
    }

    /// <summary>
    /// Runs every test, or those whose sentence contains an argument, one after the other, each on a thread of its own. Exits
    /// with 0 if all hold. One that does not end in time ends the run: what it left behind would disturb the others.
    /// </summary>
    public static class Runner
    {
        public static int Main(string[] args)
        {
            if (args.Length == 1 && args[0] == Leaving.Argument)
                return Leaving.EverythingOpen();
            var tests = Assembly.GetExecutingAssembly().GetTypes()
                .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static))
                .Where(method => method.GetCustomAttributes(typeof(TestAttribute), false).Length == 1)
                .Where(method => args.Length == 0 || args.Any(arg => Sentence(method).Contains(arg)))
                .OrderBy(method => method.DeclaringType.Name, StringComparer.Ordinal)
                .ToList();
            var failed = 0;
            foreach (var test in tests)
            {
                if (!Holds(test))
                    failed++;
            }
            Console.WriteLine("{0} tests, {1} failed", tests.Count, failed);
            return failed == 0 && tests.Count != 0 ? 0 : 1;
        }

        private static bool Holds(MethodInfo test)
        {
            var deadline = ((TestAttribute)test.GetCustomAttributes(typeof(TestAttribute), false)[0]).DeadlineMs;
            Exception failure = null;
            var watch = Stopwatch.StartNew();
            var thread = new Thread(() =>
            {
                try
                {
                    test.Invoke(null, null);
                }
                catch (TargetInvocationException e)
                {
                    failure = e.InnerException;
                }
            });
            thread.IsBackground = true;
            thread.Start();
            if (!thread.Join(deadline))
            {
                Console.WriteLine("FAIL {0}: not done after {1} ms", Sentence(test), deadline);
                Environment.Exit(1);
            }
            if (failure == null)
                Console.WriteLine("ok   {0} ({1} ms)", Sentence(test), watch.ElapsedMilliseconds);
            else
                Console.WriteLine("FAIL {0}: {1}", Sentence(test), failure);
            Console.Out.Flush();
            return failure == null;
        }

        private static string Sentence(MethodInfo test)
        {
            return test.Name.Replace('_', ' ');
        }
    }
}
