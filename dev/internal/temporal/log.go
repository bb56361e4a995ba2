package temporal

import (
	"fmt"
	"io"

	"go.temporal.io/server/common/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logs writes JSON lines. While the server starts and stops its services complain
// about each other at length ("not enough hosts"); what matters then is returned
// as an error, so only a server at work is listened to.
type logs struct {
	log.Logger
	level  zap.AtomicLevel
	wanted zapcore.Level
}

func newLogs(level string, w io.Writer) (*logs, error) {
	if level == "" {
		level = "warn"
	}
	wanted, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	at := zap.NewAtomicLevelAt(wanted)
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(encoding), zapcore.Lock(zapcore.AddSync(w)), at)
	l := &logs{Logger: log.NewZapLogger(zap.New(core)), level: at, wanted: wanted}
	l.quiet(zapcore.FatalLevel)
	return l, nil
}

// quiet keeps back what is below level, unless more than warnings were asked for.
func (l *logs) quiet(level zapcore.Level) {
	if l.wanted >= zapcore.WarnLevel {
		l.level.SetLevel(max(level, l.wanted))
	}
}

func (l *logs) listen() { l.level.SetLevel(l.wanted) }
