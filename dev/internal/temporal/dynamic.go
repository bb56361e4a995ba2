package temporal

import (
	"time"

	"go.temporal.io/server/common/dynamicconfig"
)

// dynamicConfig is what differs from the server's own defaults, which are made
// for clusters shared by many tenants.
//
// Source: go.temporal.io/server v1.32.1, common/dynamicconfig/constants.go.
func dynamicConfig() dynamicconfig.Client {
	const unlimited = 100_000 // requests a second; more than one machine can do
	values := dynamicconfig.StaticClient{
		// Eager activities save a round trip through matching: half the latency.
		dynamicconfig.EnableActivityEagerExecution.Key(): true,

		// A new search attribute can be used at once, not after a minute, and a new
		// namespace at the next refresh.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		dynamicconfig.NamespaceCacheRefreshInterval.Key():           500 * time.Millisecond,

		// One host has nothing to spread a task queue over; each further partition
		// is another place where a task waits for a poller.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// There is no neighbour to protect, and a benchmark should find the limits
		// of the machine and not these.
		dynamicconfig.FrontendRPS.Key():                                                        unlimited,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():                                 unlimited,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key():                       unlimited,
		dynamicconfig.FrontendNamespaceReplicationInducingAPIsRPS.Key():                        unlimited,
		dynamicconfig.FrontendMaxNamespaceNamespaceReplicationInducingAPIsRPSPerInstance.Key(): unlimited,
		dynamicconfig.FrontendMaxConcurrentLongRunningRequestsPerInstance.Key():                unlimited,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                                          unlimited,
		dynamicconfig.MatchingRPS.Key():                                                        unlimited,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                                          unlimited,
		dynamicconfig.HistoryRPS.Key():                                                         unlimited,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                                           unlimited,
		dynamicconfig.VisibilityPersistenceMaxReadQPS.Key():                                    unlimited,
		dynamicconfig.VisibilityPersistenceMaxWriteQPS.Key():                                   unlimited,
		dynamicconfig.WorkerPersistenceMaxQPS.Key():                                            unlimited,

		// The default holds a quarter of a gigabyte and more of idle workflows.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 16_384,
	}
	return values
}
