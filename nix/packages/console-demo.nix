# The example examples/console-demo.
import ../../examples/console-demo
