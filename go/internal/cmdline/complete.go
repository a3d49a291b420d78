package cmdline

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/candidates"
)

// Values returns the candidates for the value of a flag, or for an argument. c has the flags
// and arguments that precede it.
type Values func(c *cli.Context) []candidates.Word

// OneOf returns the Values of a flag that is one of a few words.
func OneOf(words ...string) Values {
	var all []candidates.Word
	for _, word := range words {
		all = append(all, candidates.Word{Text: word})
	}
	return func(*cli.Context) []candidates.Word { return all }
}

// CompletionFlag is the last argument of a program if a shell asks for completions. The name
// is that of package cli.
const CompletionFlag = "--generate-bash-completion"

// wordKey is the key under which an app's Metadata hold the word at the cursor.
const wordKey = "microvm-console/word"

// completing reports whether a shell asks for completions. It returns the words before the
// cursor, the program among them, and the one at the cursor.
func completing(args []string) (before []string, word string, ok bool) {
	last := len(args) - 1
	switch {
	case last < 1 || args[last] != CompletionFlag:
		return nil, "", false
	case last == 1:
		return args[:1], "", true
	}
	return args[:last-1], args[last-1], true
}

// complete prints the candidates for word; before has the words that precede it. run runs the app; package cli
// then calls the functions of setCompletion, but not the program's action. After "--", where
// cli would call the action, complete does not run the app.
func complete(app *cli.App, before []string, word string, run func(args []string) error) error {
	if slices.Contains(before, "--") {
		return offer(app.Writer, "", Files(nil))
	}
	app.Metadata[rawArgs], app.Metadata[wordKey] = before, word
	return run(append(slices.Clone(before), CompletionFlag))
}

// setCompletion sets the functions of app and its commands that print completions.
func setCompletion(app *cli.App) {
	app.EnableBashCompletion = true
	app.BashComplete = completion("", app.VisibleCommands(), app.ArgsUsage)
	for _, command := range app.Commands {
		command.BashComplete = completion(command.Name, nil, command.ArgsUsage)
	}
}

// completion returns the function that prints the completions of a command or, with the name
// "", of a program.
func completion(name string, commands []*cli.Command, argsUsage string) cli.BashCompleteFunc {
	return func(c *cli.Context) {
		word, _ := c.App.Metadata[wordKey].(string)
		before, _ := c.App.Metadata[rawArgs].([]string)
		var words []candidates.Word
		flag, _, assigned := strings.Cut(word, "=")
		switch previous := before[len(before)-1]; {
		case assigned && strings.HasPrefix(flag, "-"):
			words = assignments(flag, valuesOf(c, flag))
		case len(before) > 1 && takesValue(c, previous):
			words = valuesOf(c, previous)
		case strings.HasPrefix(word, "-") && c.NArg() == 0:
			words = flagWords(c, before)
		case len(commands) > 0 && c.App.UsageText == "": // the program does nothing without a command
			words = commandWords(commands)
		default:
			words = append(argumentWords(c, name, argsUsage), commandWords(commands)...)
			if len(words) == len(commands) && word == "" && c.NArg() == 0 {
				words = append(words, flagWords(c, before)...)
			}
		}
		_ = offer(c.App.Writer, word, words) // a shell that does not read to the end is not an error
	}
}

// offer prints the candidates that begin with word, a line for each: the word, a tab, and the
// note.
func offer(w io.Writer, word string, words []candidates.Word) error {
	for _, one := range words {
		if one != candidates.Files && !strings.HasPrefix(one.Text, word) {
			continue
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(one.Text+"\t"+oneLine(one.Note), "\t")); err != nil {
			return err
		}
	}
	return nil
}

// assignments returns values as the words "--flag=value".
func assignments(flag string, values []candidates.Word) []candidates.Word {
	var words []candidates.Word
	for _, value := range values {
		if value != candidates.Files {
			value.Text = flag + "=" + value.Text
		}
		words = append(words, value)
	}
	return words
}

// commandWords returns commands with their usages.
func commandWords(commands []*cli.Command) []candidates.Word {
	var words []candidates.Word
	for _, command := range commands {
		words = append(words, candidates.Word{Text: command.Name, Note: command.Usage})
	}
	return words
}

// oneLine returns note with each run of white space replaced by a space.
func oneLine(note string) string { return strings.Join(strings.Fields(note), " ") }

// flagWords returns the flags of c, without those among the words before the cursor.
func flagWords(c *cli.Context, before []string) []candidates.Word {
	var words []candidates.Word
	for _, one := range c.Command.VisibleFlags() {
		name := one.Names()[0]
		known, ok := one.(cli.DocGenerationFlag)
		if !ok || slices.ContainsFunc(before[1:], func(word string) bool {
			typed, _, _ := strings.Cut(word, "=")
			return typed == "--"+name
		}) {
			continue
		}
		words = append(words, candidates.Word{Text: dashed(name), Note: strings.ReplaceAll(known.GetUsage(), "`", "")})
	}
	return words
}

// argumentWords returns the candidates for an argument of a command: those of its Manual, or
// else files if it has arguments.
func argumentWords(c *cli.Context, command, argsUsage string) []candidates.Word {
	if values := manualOf(c.App).Arguments[command]; values != nil {
		return values(c)
	}
	if argsUsage == "" || strings.Contains(argsUsage, "--") {
		return nil
	}
	return []candidates.Word{candidates.Files}
}

// takesValue reports whether word is a flag of c whose value is the next word.
func takesValue(c *cli.Context, word string) bool {
	known := flagOf(c, flagName(word))
	return strings.HasPrefix(word, "-") && known != nil && known.TakesValue()
}

// valuesOf returns the candidates for the value of a flag, which is given as typed.
func valuesOf(c *cli.Context, typed string) []candidates.Word {
	name := flagName(typed)
	if values := manualOf(c.App).Values[name]; values != nil {
		return values(c)
	}
	if known, ok := flagOf(c, name).(*cli.StringFlag); ok && known.TakesFile {
		return []candidates.Word{candidates.Files}
	}
	if values := sharedValues[name]; values != nil {
		return values(c)
	}
	return nil
}

// Files is the Values of a flag or an argument that is a file.
func Files(*cli.Context) []candidates.Word { return []candidates.Word{candidates.Files} }
