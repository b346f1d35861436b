@main struct NextLoop { static func main() {} }
