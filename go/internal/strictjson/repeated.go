package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// repeated calls report with the path of each field that is listed twice in an object of data,
// which must be valid JSON. encoding/json takes the last value, and merges the two if they are
// lists.
func repeated(data []byte, report func(path string)) {
	tokens := json.NewDecoder(bytes.NewReader(data))
	tokens.UseNumber()
	repeatedIn(tokens, "", report)
}

// repeatedIn is repeated for the next value of tokens, whose path is path.
func repeatedIn(tokens *json.Decoder, path string, report func(path string)) {
	next := func() json.Token {
		token, _ := tokens.Token() // valid JSON has no error
		return token
	}
	switch next() {
	case json.Delim('{'):
		seen := map[string]bool{}
		for tokens.More() {
			name, _ := next().(string)
			at := under(path, name)
			if seen[name] {
				report(at)
			}
			seen[name] = true
			repeatedIn(tokens, at, report)
		}
		next() // the closing brace
	case json.Delim('['):
		for i := 0; tokens.More(); i++ {
			repeatedIn(tokens, fmt.Sprintf("%s[%d]", path, i), report)
		}
		next() // the closing bracket
	}
}
