import FactorModel
import HTTPServer
import HotelOrders
import ModelRegistry
import RecommendService
import Training

/// Runs `work` and turns a room's error into the words and the exit code of a command.
func reporting<R, E: CommandError>(_ work: () throws(E) -> R) throws -> R {
    do throws(E) {
        return try work()
    } catch {
        throw CommandFailure(error.exitCode, "\(error)")
    }
}

/// An error that knows how a command should exit for it.
protocol CommandError: Error, CustomStringConvertible {
    var exitCode: CommandFailure.Code { get }
}

extension OrdersError: CommandError {
    var exitCode: CommandFailure.Code {
        switch kind {
        case .usage: .usage
        case .inputMissing: .inputMissing
        case .badData: .badData
        case .io: .io
        }
    }
}

extension RegistryError: CommandError {
    var exitCode: CommandFailure.Code {
        switch kind {
        case .usage: .usage
        case .badModel: .badData
        case .missing: .inputMissing
        case .io: .io
        }
    }
}

extension Problem: CommandError {
    var exitCode: CommandFailure.Code {
        switch self {
        case .unknownUser, .unknownItem: .inputMissing
        case .cannotExplain: .badData
        default: .usage
        }
    }
}

extension ImportError: CommandError {
    var exitCode: CommandFailure.Code {
        switch kind {
        case .badData: .badData
        case .missing: .inputMissing
        case .io: .io
        }
    }
}

extension TrainingError: CommandError {
    var exitCode: CommandFailure.Code {
        switch self {
        case .invalidSetting: .usage
        default: .badData
        }
    }
}

/// What the system refuses to give, such as a thread.
extension SystemError: CommandError {
    var exitCode: CommandFailure.Code { .io }
}

extension ServerError: CommandError {
    var exitCode: CommandFailure.Code {
        switch self {
        case .invalidHost, .invalidPort, .invalidLoopCount, .invalidListenerCount: .usage
        default: .io
        }
    }
}
