package dev.wok.fabric;

import java.io.IOException;
import java.util.List;

/// What ties a process to its group beside the links.
///
/// @param lifelines to all other ranks
record Ties(Door door, List<Lifeline> lifelines) {
    /// Leaves the group.
    void leave(Board.Gone how) {
        lifelines.forEach(lifeline -> lifeline.leave(how));
        try {
            door.close();
        } catch (IOException _) {
            return; // the system has closed it then
        }
    }
}
