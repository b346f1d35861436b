/// What kind of thing an item is. Tastes, hours and departments follow from it.
enum SampleCategory: Int, CaseIterable {
    case breakfast, korean, chicken, western, noodles, healthy, dessert, coffee, alcohol, kids, wellness, laundry, free

    /// kitchen 1, bar 2, bakery 3, housekeeping 4, wellness 5.
    var department: Int {
        switch self {
        case .breakfast, .korean, .chicken, .western, .noodles, .healthy, .kids: 1
        case .coffee, .alcohol: 2
        case .dessert: 3
        case .laundry, .free: 4
        case .wellness: 5
        }
    }
}

/// One thing that an invented hotel may have on its menu.
struct SampleDish {
    let english: String
    let korean: String
    let category: SampleCategory
    /// KRW.
    let price: Int
}

/// Everything the invented hotels choose their menus from.
enum SampleMenu {
    static let dishes: [SampleDish] = [
        (.breakfast, breakfast), (.korean, korean), (.chicken, chicken), (.western, western), (.noodles, noodles),
        (.healthy, healthy), (.dessert, dessert), (.coffee, coffee), (.alcohol, alcohol), (.kids, kids),
        (.wellness, wellness), (.laundry, laundry), (.free, free),
    ].flatMap { category, list in
        list.split(separator: "\n").compactMap { line -> SampleDish? in
            let parts = line.split(separator: "|")
            guard parts.count == 3, let price = Int(parts[2]) else { return nil }
            return SampleDish(english: String(parts[0]), korean: String(parts[1]), category: category, price: price)
        }
    }

    private static let breakfast = """
        American breakfast|아메리칸 조식|32000
        Continental breakfast|컨티넨탈 조식|26000
        Korean breakfast set|한식 조반|34000
        Eggs Benedict|에그 베네딕트|24000
        Mushroom omelette|버섯 오믈렛|21000
        Buttermilk pancakes|버터밀크 팬케이크|19000
        French toast|프렌치 토스트|20000
        Abalone porridge|전복죽|29000
        Pumpkin porridge|호박죽|18000
        Bircher muesli|비르허 뮤즐리|15000
        """
    private static let korean = """
        Bibimbap|비빔밥|23000
        Hot stone bibimbap|돌솥비빔밥|26000
        Kimchi stew|김치찌개|22000
        Soybean paste stew|된장찌개|21000
        Ginseng chicken soup|삼계탕|32000
        Beef bulgogi|소불고기|38000
        Grilled short ribs|소갈비구이|62000
        Spicy pork|제육볶음|29000
        Kimchi fried rice|김치볶음밥|20000
        Seaweed soup|미역국|18000
        Ox bone soup|설렁탕|27000
        Seafood pancake|해물파전|28000
        Tteokbokki|떡볶이|19000
        Gimbap|김밥|14000
        """
    private static let chicken = """
        Fried chicken|후라이드 치킨|29000
        Seasoned chicken|양념치킨|31000
        Soy garlic chicken|간장마늘치킨|31000
        Half and half chicken|반반치킨|32000
        Boneless chicken|순살치킨|30000
        Chicken wings|닭날개 튀김|24000
        Spicy chicken feet|매운 닭발|26000
        Cheese balls|치즈볼|12000
        """
    private static let western = """
        Hanwoo sirloin steak|한우 등심 스테이크|89000
        Rib eye steak|립아이 스테이크|76000
        Club sandwich|클럽 샌드위치|25000
        Cheeseburger|치즈버거|27000
        Truffle burger|트러플 버거|34000
        Margherita pizza|마르게리타 피자|28000
        Pepperoni pizza|페퍼로니 피자|31000
        Four cheese pizza|콰트로 포르마지 피자|33000
        Spaghetti carbonara|카르보나라|27000
        Spaghetti bolognese|볼로네제|26000
        Vongole|봉골레 파스타|29000
        Lobster pasta|랍스터 파스타|46000
        Fish and chips|피시 앤 칩스|28000
        French fries|감자튀김|12000
        """
    private static let noodles = """
        Spicy ramyeon|얼큰 라면|13000
        Seafood ramyeon|해물 라면|18000
        Cold noodles|물냉면|19000
        Spicy cold noodles|비빔냉면|19000
        Black bean noodles|짜장면|17000
        Spicy seafood noodles|짬뽕|21000
        Knife-cut noodles|칼국수|18000
        Beef pho|소고기 쌀국수|22000
        Pad thai|팟타이|23000
        Udon|우동|18000
        """
    private static let healthy = """
        Caesar salad|시저 샐러드|21000
        Salmon poke bowl|연어 포케|26000
        Quinoa salad|퀴노아 샐러드|23000
        Tofu salad|두부 샐러드|19000
        Grilled vegetables|구운 채소|20000
        Acai bowl|아사이볼|18000
        Chicken breast plate|닭가슴살 플레이트|24000
        Fresh fruit plate|계절 과일|32000
        Green juice|그린 주스|13000
        Vegan bibimbap|비건 비빔밥|24000
        """
    private static let dessert = """
        Red bean shaved ice|팥빙수|28000
        Mango shaved ice|망고빙수|48000
        Cheesecake|치즈케이크|14000
        Chocolate cake|초콜릿 케이크|15000
        Tiramisu|티라미수|15000
        Macarons|마카롱|16000
        Croissant|크루아상|8000
        Salt bread|소금빵|7000
        Ice cream|아이스크림|11000
        Egg tart|에그타르트|8000
        Rice cakes|모둠떡|13000
        """
    private static let coffee = """
        Americano|아메리카노|9000
        Iced americano|아이스 아메리카노|9500
        Caffe latte|카페 라떼|10500
        Vanilla latte|바닐라 라떼|11000
        Cappuccino|카푸치노|10500
        Cold brew|콜드브루|11000
        Earl Grey tea|얼그레이|10000
        Yuzu tea|유자차|11000
        Matcha latte|말차 라떼|11500
        Fresh orange juice|오렌지 주스|13000
        Sparkling water|탄산수|7000
        """
    private static let alcohol = """
        Draft beer|생맥주|12000
        Craft IPA|수제 IPA|15000
        Wheat beer|밀맥주|13000
        Soju|소주|11000
        Makgeolli|막걸리|14000
        House red wine|하우스 레드 와인|19000
        House white wine|하우스 화이트 와인|19000
        Champagne|샴페인|160000
        Highball|하이볼|17000
        Gin and tonic|진토닉|19000
        Cheese platter|치즈 플래터|38000
        Dried squid and nuts|마른안주|23000
        """
    private static let kids = """
        Kids pork cutlet|어린이 돈까스|17000
        Kids pasta|어린이 파스타|15000
        Mini burger|미니 버거|16000
        Chicken nuggets|치킨 너겟|13000
        Omelette rice|오므라이스|18000
        Banana milk|바나나 우유|5000
        Baby food|이유식|12000
        """
    private static let wellness = """
        In-room aroma massage|객실 아로마 마사지|120000
        Foot massage|발 마사지|70000
        Facial mask set|마스크팩 세트|18000
        Bath salt set|입욕제 세트|22000
        Yoga mat and video|요가 매트 대여|9000
        """
    private static let laundry = """
        Shirt laundry|셔츠 세탁|9000
        Suit pressing|정장 다림질|15000
        Shoe care|구두 관리|12000
        Extra bed|엑스트라 베드|55000
        """
    private static let free = """
        Extra towels|수건 추가|0
        Bottled water|생수|0
        Slippers|슬리퍼|0
        Toothbrush set|칫솔 세트|0
        Extra pillow|베개 추가|0
        Phone charger|휴대폰 충전기|0
        """
}
